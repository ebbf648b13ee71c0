"""Groups: their list, a group's page with its members, and making them."""

import asyncio
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.pages.access.asking import Field, Question, answered, ask
from kagimori_console.pages.access.kinds import GROUPS, USERS, part
from kagimori_console.pages.access.lists import Cell, show_list
from kagimori_console.pages.access.permissions import permissions_of
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post


async def show_all(page: Page) -> Response:
    """List the groups."""

    def row(group: dict[str, Any]) -> list[Cell]:
        return [
            Cell(group["GroupName"], GROUPS.address(group["GroupName"])),
            Cell(group["Path"]),
            Cell(group["GroupId"]),
            Cell(at=group["CreateDate"]),
        ]

    return await show_list(
        page,
        title=page.text("User groups"),
        operation="ListGroups",
        member="Groups",
        columns=(
            page.text("Group name"),
            page.text("Path"),
            page.text("Unique ID"),
            page.text("Created"),
        ),
        row=row,
        new=("/access/groups/new", page.text("Create group")),
    )


def _new(page: Page) -> Question:
    return Question(
        title=page.text("Create group"),
        button=page.text("Create group"),
        back="/access/groups",
        fields=(
            Field("name", page.text("Group name"), required=True),
            Field("path", page.text("Path"), hint=page.text("Optional, such as /team/.")),
        ),
    )


async def ask_new(page: Page) -> Response:
    """Show the form of a new group."""
    return ask(page, _new(page))


async def make(page: Page) -> Response:
    """Make a group."""

    async def act() -> Response:
        name = page.form.value("name")
        await page.api.iam("CreateGroup", GroupName=name, Path=page.form.optional("path"))
        page.notify(page.text("The group %(name)s was created.", name=name))
        return page.redirect(GROUPS.address(name))

    return await answered(page, _new(page), act)


async def show(page: Page) -> Response:
    """Show a group: its members and permissions."""
    name = page.path("name")
    found = await page.api.iam("GetGroup", GroupName=name)
    group = found["Group"]
    permissions, members, users = await asyncio.gather(
        permissions_of(page, GROUPS, name, group),
        part(page.api, "GetGroup", "Users", GroupName=name),
        part(page.api, "ListUsers", "Users"),
    )
    return page.render(
        "access/group.html",
        group=group,
        permissions=permissions,
        members=members,
        users=users,
        user_address=USERS.address,
        base=GROUPS.address(name),
    )


async def add_member(page: Page) -> Response:
    """Add a user."""
    name, user = page.path("name"), page.form.value("user")
    await page.api.iam("AddUserToGroup", GroupName=name, UserName=user)
    page.notify(page.text("%(name)s is in the group %(group)s.", name=user, group=name))
    return page.redirect(GROUPS.address(name))


async def remove_member(page: Page) -> Response:
    """Remove a user."""
    name, user = page.path("name"), page.form.value("user")
    await page.api.iam("RemoveUserFromGroup", GroupName=name, UserName=user)
    page.notify(page.text("%(name)s is no longer in %(group)s.", name=user, group=name))
    return page.redirect(GROUPS.address(name))


ROUTES: Final = (
    get("/access/groups", show_all),
    get("/access/groups/new", ask_new),
    post("/access/groups/new", make),
    get("/access/groups/{name}", show),
    post("/access/groups/{name}/add", add_member),
    post("/access/groups/{name}/remove", remove_member),
)
