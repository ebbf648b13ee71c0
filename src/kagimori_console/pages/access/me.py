"""One's own security credentials: password, access keys, MFA devices, and all sessions."""

from typing import Final

from starlette.responses import Response

from kagimori_console.pages.access.asking import PASSWORD, Field, Question, answered, ask, not_yet
from kagimori_console.pages.access.credentials import OWN, credentials_of
from kagimori_console.sessions.session import ROOT_NAME
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post


def _is_root(page: Page) -> bool:
    return page.person.name == ROOT_NAME


def _is_user(page: Page) -> bool:
    return ":user/" in page.person.arn


async def show(page: Page) -> Response:
    """Show one's own credentials; roles have none."""
    holds = _is_root(page) or _is_user(page)
    credentials = await credentials_of(page, None) if holds else None
    return page.render("access/me.html", credentials=credentials, is_root=_is_root(page))


def _form(page: Page) -> Question:
    old = (Field("old", page.text("Present password"), PASSWORD, required=True),)
    return Question(
        title=page.text("Change your password"),
        button=page.text("Change password"),
        back=OWN,
        fields=(
            *(() if _is_root(page) else old),
            Field("new", page.text("New password"), PASSWORD, required=True),
            Field("again", page.text("New password, once more"), PASSWORD, required=True),
        ),
    )


async def ask_password(page: Page) -> Response:
    """Show the form of one's own password."""
    return ask(page, _form(page))


async def set_password(page: Page) -> Response:
    """Change one's own password."""
    new = page.form.exact("new")
    if new != page.form.exact("again"):
        problem = page.text("The two passwords are not the same.")
        return not_yet(page, _form(page), problem)

    async def act() -> Response:
        if _is_root(page):
            await page.api.admin("SetRootPassword", Password=new)
        else:
            old = page.form.exact("old")
            await page.api.iam("ChangePassword", OldPassword=old, NewPassword=new)
        page.notify(page.text("Your password was changed."))
        return page.redirect(OWN)

    return await answered(page, _form(page), act)


ROUTES: Final = (
    get(OWN, show),
    get(f"{OWN}/password", ask_password),
    post(f"{OWN}/password", set_password),
)
