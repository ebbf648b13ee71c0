"""Forms with a few fields: shown, and shown again with what was typed if the service refuses."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.web.page import Page

PASSWORD: Final = "password"  # noqa: S105 - the type of a field
AREA: Final = "area"
BOX: Final = "box"
CHOICE: Final = "choice"
_FORM: Final = "access/form.html"


@dataclass(frozen=True)
class Field:
    """A field: `kind` is an input's type, or one of the above."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    hint: str = ""
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Question:
    """A form; `back` is where its "Cancel" leads, `losses` what goes if it is sent."""

    title: str
    button: str
    back: str
    fields: tuple[Field, ...] = ()
    note: str = ""
    danger: bool = False
    losses: tuple[str, ...] = ()


def ask(page: Page, question: Question) -> Response:
    """Return the page of a form."""
    return page.render(_FORM, question=question, failure=None, problem="")


async def answered(
    page: Page, question: Question, act: Callable[[], Awaitable[Response]]
) -> Response:
    """Return the answer to a form; if the service refuses, the form as it was filled in."""
    try:
        return await act()
    except ApiRefused as refused:
        if refused.signed_out:
            raise
        return page.render_refused(_FORM, refused, question=typed(page, question), problem="")


def not_yet(page: Page, question: Question, problem: str) -> Response:
    """Return the form as it was filled in, with what must be mended first."""
    filled = typed(page, question)
    return page.render(_FORM, status=400, question=filled, failure=None, problem=problem)


def confirmation(page: Page, name: str) -> Field:
    """Return the field in which a name is typed before it is deleted."""
    return Field("confirm", page.text("Type %(name)s to confirm", name=name), required=True)


def typed(page: Page, question: Question) -> Question:
    """Return a form with what was typed, but for passwords."""
    return replace(question, fields=tuple(_typed(page, field) for field in question.fields))


def _typed(page: Page, field: Field) -> Field:
    return field if field.kind == PASSWORD else replace(field, value=page.form.value(field.name))
