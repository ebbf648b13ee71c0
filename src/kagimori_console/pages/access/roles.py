"""Roles: their list, a role's page, its trust policy, and making them."""

import asyncio
import json
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.access.asking import AREA, Field, Question, answered, ask
from kagimori_console.pages.access.documents import text_of, with_statement
from kagimori_console.pages.access.editor import TRUST, Editor, edit, edit_again
from kagimori_console.pages.access.kinds import ROLES, part
from kagimori_console.pages.access.lists import Cell, show_list
from kagimori_console.pages.access.permissions import permissions_of
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post


async def show_all(page: Page) -> Response:
    """List the roles."""

    def row(role: dict[str, Any]) -> list[Cell]:
        return [
            Cell(role["RoleName"], ROLES.address(role["RoleName"])),
            Cell(role["Path"]),
            Cell(role.get("Description") or ""),
            Cell(at=role["CreateDate"]),
        ]

    return await show_list(
        page,
        title=page.text("Roles"),
        operation="ListRoles",
        member="Roles",
        columns=(
            page.text("Role name"),
            page.text("Path"),
            page.text("Description"),
            page.text("Created"),
        ),
        row=row,
        new=("/access/roles/new", page.text("Create role")),
    )


def _new(page: Page) -> Question:
    account = page.person.account_id
    partition = page.person.arn.split(":")[1]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
        "Action": "sts:AssumeRole",
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    return Question(
        title=page.text("Create role"),
        button=page.text("Create role"),
        back="/access/roles",
        fields=(
            Field("name", page.text("Role name"), required=True),
            Field("path", page.text("Path"), hint=page.text("Optional, such as /team/.")),
            Field("description", page.text("Description")),
            Field(
                "trust",
                page.text("Trust policy"),
                AREA,
                value=json.dumps(trust, indent=2),
                hint=page.text("Who may take the role."),
                required=True,
            ),
            _session_length(page, "3600"),
            Field("boundary", page.text("Permissions boundary (policy ARN)")),
        ),
    )


def _session_length(page: Page, value: str) -> Field:
    return Field(
        "seconds",
        page.text("Longest session (seconds)"),
        "number",
        value=value,
        hint=page.text("From 3600 (one hour) to 43200 (twelve hours)."),
    )


async def ask_new(page: Page) -> Response:
    """Show the form of a new role."""
    return ask(page, _new(page))


def _seconds(page: Page) -> int | None:
    given = page.form.value("seconds")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else None  # noqa: PLR2004 - no longer number is one of seconds


async def make(page: Page) -> Response:
    """Make a role."""

    async def act() -> Response:
        name = page.form.value("name")
        await page.api.iam(
            "CreateRole",
            RoleName=name,
            Path=page.form.optional("path"),
            Description=page.form.optional("description"),
            AssumeRolePolicyDocument=page.form.exact("trust"),
            MaxSessionDuration=_seconds(page),
            PermissionsBoundary=page.form.optional("boundary"),
        )
        page.notify(page.text("The role %(name)s was created.", name=name))
        return page.redirect(ROLES.address(name))

    return await answered(page, _new(page), act)


async def show(page: Page) -> Response:
    """Show a role: trust policy, permissions, session length, tags."""
    name = page.path("name")
    found = await page.api.iam("GetRole", RoleName=name)
    role = found["Role"]
    permissions, tags = await asyncio.gather(
        permissions_of(page, ROLES, name, role),
        part(page.api, "ListRoleTags", "Tags", RoleName=name),
    )
    return page.render(
        "access/role.html",
        role=role,
        trust=text_of(role["AssumeRolePolicyDocument"]),
        permissions=permissions,
        tags=tags,
        base=ROLES.address(name),
    )


def _trust_editor(page: Page, text: str) -> Editor:
    name = page.path("name")
    return Editor(
        title=page.text("Trust policy of %(name)s", name=name),
        action=f"{ROLES.address(name)}/trust",
        back=ROLES.address(name),
        text=text,
        kind=TRUST,
    )


async def edit_trust(page: Page) -> Response:
    """Show the editor of the trust policy, with a statement that was offered."""
    found = await page.api.iam("GetRole", RoleName=page.path("name"))
    text = with_statement(text_of(found["Role"]["AssumeRolePolicyDocument"]), page.query("add"))
    return edit(page, _trust_editor(page, text))


async def save_trust(page: Page) -> Response:
    """Save the trust policy."""
    name, text = page.path("name"), page.form.exact("policy")
    try:
        await page.api.iam("UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=text)
    except ApiRefused as refused:
        return edit_again(page, _trust_editor(page, text), refused)
    page.notify(page.text("The trust policy was saved."))
    return page.redirect(ROLES.address(name))


def _change(page: Page, seconds: str, description: str) -> Question:
    name = page.path("name")
    return Question(
        title=page.text("Edit role %(name)s", name=name),
        button=page.text("Save"),
        back=ROLES.address(name),
        fields=(
            Field("description", page.text("Description"), value=description),
            _session_length(page, seconds),
        ),
    )


async def ask_change(page: Page) -> Response:
    """Show the form of a role's description and session length."""
    found = await page.api.iam("GetRole", RoleName=page.path("name"))
    role = found["Role"]
    return ask(page, _change(page, str(role["MaxSessionDuration"]), role.get("Description") or ""))


async def change(page: Page) -> Response:
    """Save a role's description and session length."""

    async def act() -> Response:
        name = page.path("name")
        await page.api.iam(
            "UpdateRole",
            RoleName=name,
            Description=page.form.value("description"),
            MaxSessionDuration=_seconds(page),
        )
        page.notify(page.text("The role was saved."))
        return page.redirect(ROLES.address(name))

    return await answered(page, _change(page, "", ""), act)


ROUTES: Final = (
    get("/access/roles", show_all),
    get("/access/roles/new", ask_new),
    post("/access/roles/new", make),
    get("/access/roles/{name}", show),
    get("/access/roles/{name}/trust", edit_trust),
    post("/access/roles/{name}/trust", save_trust),
    get("/access/roles/{name}/edit", ask_change),
    post("/access/roles/{name}/edit", change),
)
