"""Users: their list, a user's page, and making and deleting them."""

import asyncio
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.pages.access.asking import Field, Question, answered, ask
from kagimori_console.pages.access.credentials import credentials_of
from kagimori_console.pages.access.kinds import USERS, part
from kagimori_console.pages.access.lists import Cell, show_list
from kagimori_console.pages.access.permissions import permissions_of
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post


async def show_all(page: Page) -> Response:
    """List the users, a page at a time."""

    def row(user: dict[str, Any]) -> list[Cell]:
        return [
            Cell(user["UserName"], USERS.address(user["UserName"])),
            Cell(user["Path"]),
            Cell(user["UserId"]),
            Cell(at=user.get("PasswordLastUsed")),
            Cell(at=user["CreateDate"]),
        ]

    return await show_list(
        page,
        title=page.text("Users"),
        operation="ListUsers",
        member="Users",
        columns=(
            page.text("User name"),
            page.text("Path"),
            page.text("Unique ID"),
            page.text("Password last used"),
            page.text("Created"),
        ),
        row=row,
        new=("/access/users/new", page.text("Create user")),
    )


def _new(page: Page) -> Question:
    return Question(
        title=page.text("Create user"),
        button=page.text("Create user"),
        back="/access/users",
        fields=(
            Field("name", page.text("User name"), required=True),
            Field("path", page.text("Path"), hint=page.text("Optional, such as /team/.")),
            Field(
                "boundary",
                page.text("Permissions boundary (policy ARN)"),
                hint=page.text("Optional: the most that the policies can allow."),
            ),
        ),
        note=page.text(
            "A new user may do nothing and cannot sign in: password, access keys and "
            "policies are on its page."
        ),
    )


async def ask_new(page: Page) -> Response:
    """Show the form of a new user."""
    return ask(page, _new(page))


async def make(page: Page) -> Response:
    """Make a user."""

    async def act() -> Response:
        name = page.form.value("name")
        await page.api.iam(
            "CreateUser",
            UserName=name,
            Path=page.form.optional("path"),
            PermissionsBoundary=page.form.optional("boundary"),
        )
        page.notify(page.text("The user %(name)s was created.", name=name))
        return page.redirect(USERS.address(name))

    return await answered(page, _new(page), act)


async def show(page: Page) -> Response:
    """Show a user: permissions, groups, credentials, tags."""
    name = page.path("name")
    found = await page.api.iam("GetUser", UserName=name)
    user = found["User"]
    permissions, credentials, groups, every, tags = await asyncio.gather(
        permissions_of(page, USERS, name, user),
        credentials_of(page, name),
        part(page.api, "ListGroupsForUser", "Groups", UserName=name),
        part(page.api, "ListGroups", "Groups"),
        part(page.api, "ListUserTags", "Tags", UserName=name),
    )
    return page.render(
        "access/user.html",
        user=user,
        permissions=permissions,
        credentials=credentials,
        groups=groups,
        every_group=every,
        tags=tags,
        base=USERS.address(name),
    )


async def join_group(page: Page) -> Response:
    """Add a user to a group."""
    name, group = page.path("name"), page.form.value("group")
    await page.api.iam("AddUserToGroup", UserName=name, GroupName=group)
    page.notify(page.text("%(name)s is in the group %(group)s.", name=name, group=group))
    return page.redirect(USERS.address(name))


async def leave_group(page: Page) -> Response:
    """Remove a user from a group."""
    name, group = page.path("name"), page.form.value("group")
    await page.api.iam("RemoveUserFromGroup", UserName=name, GroupName=group)
    page.notify(page.text("%(name)s is no longer in %(group)s.", name=name, group=group))
    return page.redirect(USERS.address(name))


ROUTES: Final = (
    get("/access/users", show_all),
    get("/access/users/new", ask_new),
    post("/access/users/new", make),
    get("/access/users/{name}", show),
    post("/access/users/{name}/join", join_group),
    post("/access/users/{name}/leave", leave_group),
)
