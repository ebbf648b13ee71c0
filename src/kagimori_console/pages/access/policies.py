"""Managed policies: their list, versions, which is the default, and who has them."""

import asyncio
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.access.asking import Question, answered, ask, confirmation, not_yet
from kagimori_console.pages.access.documents import EMPTY, text_of, with_statement
from kagimori_console.pages.access.editor import Editor, edit, edit_again
from kagimori_console.pages.access.kinds import GROUPS, ROLES, USERS, part
from kagimori_console.pages.access.lists import Cell, show_list
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_LIST: Final = "/access/policies"
_SCOPES: Final = ("Local", "AWS", "All")


def address_of(arn: str) -> str:
    """Return the address of the page of a managed policy."""
    return f"{_LIST}/{quote(arn, safe='')}"


async def show_all(page: Page) -> Response:
    """List the managed policies: those of the account, AWS's, or all."""
    scope = page.query("scope", _SCOPES[0])
    scope = scope if scope in _SCOPES else _SCOPES[0]
    names = {
        "Local": page.text("Customer managed"),
        "AWS": page.text("AWS managed"),
        "All": page.text("All"),
    }

    def row(policy: dict[str, Any]) -> list[Cell]:
        return [
            Cell(policy["PolicyName"], address_of(policy["Arn"])),
            Cell(policy["Path"]),
            Cell(policy["DefaultVersionId"]),
            Cell(str(policy["AttachmentCount"])),
            Cell(at=policy["UpdateDate"]),
        ]

    return await show_list(
        page,
        title=page.text("Policies"),
        operation="ListPolicies",
        member="Policies",
        columns=(
            page.text("Policy name"),
            page.text("Path"),
            page.text("Default version"),
            page.text("Attached to"),
            page.text("Updated"),
        ),
        row=row,
        new=(f"{_LIST}/new", page.text("Create policy")),
        tabs=[(f"{_LIST}?scope={one}", names[one], one == scope) for one in _SCOPES],
        Scope=scope,
    )


def _new(page: Page, name: str, text: str) -> Editor:
    return Editor(
        title=page.text("Create policy"),
        action=f"{_LIST}/new",
        back=_LIST,
        text=text,
        name=name,
        name_label=page.text("Policy name"),
        description=page.form.value("description"),
    )


async def ask_new(page: Page) -> Response:
    """Show the editor of a new policy."""
    return edit(page, _new(page, "", with_statement(EMPTY, page.query("add"))))


async def make(page: Page) -> Response:
    """Make a policy."""
    name, text = page.form.value("name"), page.form.exact("policy")
    try:
        found = await page.api.iam(
            "CreatePolicy",
            PolicyName=name,
            PolicyDocument=text,
            Description=page.form.optional("description"),
        )
    except ApiRefused as refused:
        return edit_again(page, _new(page, name, text), refused)
    page.notify(page.text("The policy %(name)s was saved.", name=name))
    return page.redirect(address_of(found["Policy"]["Arn"]))


async def show(page: Page) -> Response:
    """Show a policy: a version's text, all versions, who has it."""
    arn = page.path("arn")
    found = await page.api.iam("GetPolicy", PolicyArn=arn)
    policy = found["Policy"]
    version = page.query("version") or policy["DefaultVersionId"]
    shown, versions, users, groups, roles, tags = await asyncio.gather(
        page.api.iam("GetPolicyVersion", PolicyArn=arn, VersionId=version),
        part(page.api, "ListPolicyVersions", "Versions", PolicyArn=arn),
        part(page.api, "ListEntitiesForPolicy", "PolicyUsers", PolicyArn=arn),
        part(page.api, "ListEntitiesForPolicy", "PolicyGroups", PolicyArn=arn),
        part(page.api, "ListEntitiesForPolicy", "PolicyRoles", PolicyArn=arn),
        part(page.api, "ListPolicyTags", "Tags", PolicyArn=arn),
    )
    holders = [
        *((one["UserName"], USERS.address(one["UserName"])) for one in users.items),
        *((one["GroupName"], GROUPS.address(one["GroupName"])) for one in groups.items),
        *((one["RoleName"], ROLES.address(one["RoleName"])) for one in roles.items),
    ]
    return page.render(
        "access/policy.html",
        policy=policy,
        version=version,
        text=text_of(shown["PolicyVersion"]["Document"]),
        versions=versions,
        holders=holders,
        holders_failure=users.failure,
        tags=tags,
        base=address_of(arn),
        is_own=f":{page.person.account_id}:" in arn,
    )


def _version_editor(page: Page, arn: str, text: str, *, make_default: bool) -> Editor:
    return Editor(
        title=page.text("New version of %(name)s", name=arn.rpartition("/")[2]),
        action="/access/policy-version",
        back=address_of(arn),
        text=text,
        hidden=(("arn", arn),),
        make_default=make_default,
    )


async def ask_version(page: Page) -> Response:
    """Show the editor with the default version's text, with a statement that was offered."""
    arn = page.query("arn")
    policy = (await page.api.iam("GetPolicy", PolicyArn=arn))["Policy"]
    found = await page.api.iam(
        "GetPolicyVersion", PolicyArn=arn, VersionId=policy["DefaultVersionId"]
    )
    text = with_statement(text_of(found["PolicyVersion"]["Document"]), page.query("add"))
    return edit(page, _version_editor(page, arn, text, make_default=True))


async def make_version(page: Page) -> Response:
    """Save a new version."""
    arn, text = page.form.value("arn"), page.form.exact("policy")
    make_default = page.form.checked("default")
    try:
        await page.api.iam(
            "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=text, SetAsDefault=make_default
        )
    except ApiRefused as refused:
        editor = _version_editor(page, arn, text, make_default=make_default)
        return edit_again(page, editor, refused)
    page.notify(page.text("The new version was saved."))
    return page.redirect(address_of(arn))


async def set_default(page: Page) -> Response:
    """Make a version the default one, or delete it."""
    arn, version = page.form.value("arn"), page.form.value("version")
    if page.form.value("what") == "delete":
        await page.api.iam("DeletePolicyVersion", PolicyArn=arn, VersionId=version)
        page.notify(page.text("Version %(version)s was deleted.", version=version))
    else:
        await page.api.iam("SetDefaultPolicyVersion", PolicyArn=arn, VersionId=version)
        page.notify(page.text("Version %(version)s is the default one.", version=version))
    return page.redirect(address_of(arn))


def _deletion(page: Page, arn: str, losses: tuple[str, ...] = ()) -> Question:
    name = arn.rpartition("/")[2]
    return Question(
        title=page.text("Delete policy %(name)s", name=name),
        button=page.text("Delete"),
        back=address_of(arn),
        fields=(confirmation(page, name),),
        danger=True,
        losses=losses,
        note=page.text("A policy that is attached to somebody, or a boundary, is not deleted."),
    )


async def ask_delete(page: Page) -> Response:
    """Ask before a policy is deleted."""
    return ask(page, _deletion(page, page.path("arn")))


async def delete(page: Page) -> Response:
    """Delete a policy with its versions."""
    arn = page.path("arn")
    if page.form.value("confirm") != arn.rpartition("/")[2]:
        return not_yet(page, _deletion(page, arn), page.text("The name is another one."))

    async def act() -> Response:
        policy = (await page.api.iam("GetPolicy", PolicyArn=arn))["Policy"]
        if policy["AttachmentCount"] == 0 and not policy.get("PermissionsBoundaryUsageCount"):
            versions = await page.api.all("iam", "ListPolicyVersions", "Versions", PolicyArn=arn)
            for one in versions:
                if not one["IsDefaultVersion"]:
                    await page.api.iam(
                        "DeletePolicyVersion", PolicyArn=arn, VersionId=one["VersionId"]
                    )
        await page.api.iam("DeletePolicy", PolicyArn=arn)
        page.notify(page.text("The policy was deleted."))
        return page.redirect(_LIST)

    return await answered(page, _deletion(page, arn), act)


ROUTES: Final = (
    get(_LIST, show_all),
    get(f"{_LIST}/new", ask_new),
    post(f"{_LIST}/new", make),
    get("/access/policy-version", ask_version),
    post("/access/policy-version", make_version),
    post("/access/policy-default", set_default),
    get("/access/policy-delete/{arn:path}", ask_delete),
    post("/access/policy-delete/{arn:path}", delete),
    get(f"{_LIST}/{{arn:path}}", show),
)
