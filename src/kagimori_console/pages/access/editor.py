"""The editor of policies, and its check while typing: the service parses, the console does not."""

import json
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.web.page import Page
from kagimori_console.web.routing import post

TRUST: Final = "trust"
IDENTITY: Final = "identity"
_TEMPLATE: Final = "access/editor.html"


@dataclass(frozen=True)
class Editor:
    """A policy to edit; `name_label` is "" if its name is not asked for."""

    title: str
    action: str
    back: str
    text: str
    name: str = ""
    name_label: str = ""
    name_fixed: bool = False
    kind: str = IDENTITY
    hidden: tuple[tuple[str, str], ...] = ()
    description: str | None = None
    make_default: bool | None = None


def edit(page: Page, editor: Editor) -> Response:
    """Return the page of the editor."""
    return page.render(_TEMPLATE, editor=editor, failure=None)


def edit_again(page: Page, editor: Editor, refused: ApiRefused) -> Response:
    """Return the editor with what was typed, and why the service refused it."""
    return page.render_refused(_TEMPLATE, refused, editor=editor)


async def check(page: Page) -> Response:
    """Answer as JSON what is wrong with a policy, as the service reports it."""
    text = page.form.exact("policy")
    try:
        json.loads(text)
    except ValueError as problem:
        return page.json({"fine": False, "problem": f"JSON: {problem}"})
    except RecursionError:
        return page.json({"fine": False, "problem": page.text("That is too large")})
    if page.form.value("kind") != IDENTITY:
        fine = page.text("This is JSON; the rest is checked when it is saved.")
        return page.json({"fine": True, "problem": fine})
    found = await page.api.tried(
        "iam", "SimulateCustomPolicy", PolicyInputList=[text], ActionNames=["kms:Encrypt"]
    )
    if isinstance(found, ApiRefused) and not found.denied:
        return page.json({"fine": False, "problem": found.message})
    if isinstance(found, ApiFailure):
        fine = page.text("This is JSON; the rest is checked when it is saved.")
        return page.json({"fine": True, "problem": fine})
    return page.json({"fine": True, "problem": page.text("The service takes this policy.")})


ROUTES: Final = (post("/access/check", check),)
