"""Credentials of a user, or one's own: passwords and access keys; the devices are in `devices`.

A secret is shown once, in the answer to the form that made it.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.access.asking import BOX, PASSWORD, Field, Question, answered, ask
from kagimori_console.pages.access.kinds import USERS, part
from kagimori_console.web.page import Page
from kagimori_console.web.routing import PageRoute, get, post

OWN: Final = "/me"


@dataclass(frozen=True)
class Owner:
    """The holder of credentials; without `user`, the person who is signed in."""

    base: str
    user: str | None


def owner_of(page: Page) -> Owner:
    """Return whose credentials a page is about."""
    name = page.request.path_params.get("name")
    return Owner(OWN, None) if name is None else Owner(USERS.address(str(name)), str(name))


async def credentials_of(page: Page, user: str | None) -> dict[str, Any]:
    """Return the values of the section of credentials; without a user, one's own."""
    password, keys, devices = await asyncio.gather(
        _password(page, user),
        part(page.api, "ListAccessKeys", "AccessKeyMetadata", UserName=user),
        part(page.api, "ListMFADevices", "MFADevices", UserName=user),
    )
    used = await asyncio.gather(
        *(
            page.api.tried("iam", "GetAccessKeyLastUsed", AccessKeyId=one["AccessKeyId"])
            for one in keys.items
        )
    )
    last = [{} if isinstance(one, ApiFailure) else one["AccessKeyLastUsed"] for one in used]
    return {
        "base": OWN if user is None else USERS.address(user),
        "own": user is None,
        "password": password,
        "keys": keys,
        "last": last,
        "devices": devices,
    }


async def _password(page: Page, user: str | None) -> dict[str, Any] | None:
    """Return the login profile; None if there is none, or one's own is asked about."""
    if user is None:
        return None
    found = await page.api.tried("iam", "GetLoginProfile", UserName=user)
    if isinstance(found, ApiFailure):
        return None
    profile: dict[str, Any] = found["LoginProfile"]
    return profile


# --- password -------------------------------------------------------------------------------------


def _password_form(page: Page) -> Question:
    name = page.path("name")
    return Question(
        title=page.text("Password of %(name)s", name=name),
        button=page.text("Set password"),
        back=USERS.address(name),
        fields=(
            Field("password", page.text("New password"), PASSWORD, required=True),
            Field(
                "reset",
                page.text("The user must choose a new password at the next sign-in"),
                BOX,
                value="yes",
            ),
        ),
        note=page.text("With a password the user can sign in to this console."),
    )


async def ask_password(page: Page) -> Response:
    """Show the form of a user's password."""
    return ask(page, _password_form(page))


async def set_password(page: Page) -> Response:
    """Give a user a password, or another one."""

    async def act() -> Response:
        name = page.path("name")
        given = {
            "UserName": name,
            "Password": page.form.exact("password"),
            "PasswordResetRequired": page.form.checked("reset"),
        }
        try:
            await page.api.iam("UpdateLoginProfile", **given)
        except ApiRefused as refused:
            if refused.code != "NoSuchEntity":
                raise
            await page.api.iam("CreateLoginProfile", **given)
        page.notify(page.text("The password was set."))
        return page.redirect(USERS.address(name))

    return await answered(page, _password_form(page), act)


async def delete_password(page: Page) -> Response:
    """Take a user's password away."""
    name = page.path("name")
    await page.api.iam("DeleteLoginProfile", UserName=name)
    page.notify(page.text("The password was deleted; the user cannot sign in to the console."))
    return page.redirect(USERS.address(name))


# --- access keys ----------------------------------------------------------------------------------


async def make_key(page: Page) -> Response:
    """Make an access key, and show its secret this once."""
    owner = owner_of(page)
    found = await page.api.iam("CreateAccessKey", UserName=owner.user)
    return page.render("access/new_key.html", key=found["AccessKey"], base=owner.base)


async def change_key(page: Page) -> Response:
    """Activate or deactivate an access key."""
    owner, status = owner_of(page), page.form.value("status")
    await page.api.iam(
        "UpdateAccessKey",
        UserName=owner.user,
        AccessKeyId=page.form.value("key"),
        Status=status,
    )
    active = page.text("The access key is active.")
    page.notify(active if status == "Active" else page.text("The access key is inactive."))
    return page.redirect(owner.base)


def _deletion(page: Page, key: str) -> Question:
    owner = owner_of(page)
    return Question(
        title=page.text("Delete access key %(key)s", key=key),
        button=page.text("Delete"),
        back=owner.base,
        danger=True,
        note=page.text(
            "Programs that sign with it are refused at once, and it cannot be brought back. "
            "Deactivate it first to see what still uses it."
        ),
    )


async def ask_delete_key(page: Page) -> Response:
    """Ask before an access key is deleted."""
    return ask(page, _deletion(page, page.path("key")))


async def delete_key(page: Page) -> Response:
    """Delete an access key."""
    owner, key = owner_of(page), page.path("key")

    async def act() -> Response:
        await page.api.iam("DeleteAccessKey", UserName=owner.user, AccessKeyId=key)
        page.notify(page.text("The access key was deleted."))
        return page.redirect(owner.base)

    return await answered(page, _deletion(page, key), act)


def _routes(root: str) -> tuple[PageRoute, ...]:
    return (
        post(f"{root}/keys", make_key),
        post(f"{root}/keys/status", change_key),
        get(f"{root}/keys/{{key}}/delete", ask_delete_key),
        post(f"{root}/keys/{{key}}/delete", delete_key),
    )


ROUTES: Final = (
    get("/access/users/{name}/password", ask_password),
    post("/access/users/{name}/password", set_password),
    post("/access/users/{name}/password/delete", delete_password),
    *_routes("/access/users/{name}"),
    *_routes(OWN),
)
