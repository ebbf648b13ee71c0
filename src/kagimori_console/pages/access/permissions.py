"""The permissions of users, groups and roles: attached and inline policies, and boundaries."""

import asyncio
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.access.documents import EMPTY, text_of, with_statement
from kagimori_console.pages.access.editor import Editor, edit, edit_again
from kagimori_console.pages.access.kinds import GROUPS, KINDS, Kind, of, part
from kagimori_console.web.page import Page
from kagimori_console.web.routing import PageRoute, get, post


async def permissions_of(
    page: Page, kind: Kind, name: str, entity: dict[str, Any]
) -> dict[str, Any]:
    """Return the values of the section of permissions."""
    attached, inline, policies = await asyncio.gather(
        part(
            page.api,
            f"ListAttached{kind.noun}Policies",
            "AttachedPolicies",
            **kind.named(name),
        ),
        part(page.api, f"List{kind.noun}Policies", "PolicyNames", **kind.named(name)),
        part(page.api, "ListPolicies", "Policies"),
    )
    boundary = entity.get("PermissionsBoundary") or {}
    return {
        "base": kind.address(name),
        "attached": attached,
        "inline": inline,
        "policies": policies,
        "bounded": kind is not GROUPS,
        "boundary": boundary.get("PermissionsBoundaryArn", ""),
    }


async def attach(kind: Kind, page: Page) -> Response:
    """Attach a managed policy."""
    name, arn = page.path("name"), page.form.value("policy")
    await page.api.iam(f"Attach{kind.noun}Policy", PolicyArn=arn, **kind.named(name))
    page.notify(page.text("The policy was attached."))
    return page.redirect(kind.address(name))


async def detach(kind: Kind, page: Page) -> Response:
    """Detach a managed policy."""
    name, arn = page.path("name"), page.form.value("policy")
    await page.api.iam(f"Detach{kind.noun}Policy", PolicyArn=arn, **kind.named(name))
    page.notify(page.text("The policy was detached."))
    return page.redirect(kind.address(name))


def _editor(page: Page, kind: Kind, policy: str, text: str) -> Editor:
    name = page.path("name")
    title = page.text("Inline policy of %(name)s", name=name)
    return Editor(
        title=title,
        action=f"{kind.address(name)}/inline",
        back=kind.address(name),
        text=text,
        name=policy,
        name_label=page.text("Policy name"),
        name_fixed=bool(policy),
    )


async def new_inline(kind: Kind, page: Page) -> Response:
    """Show the editor of a new inline policy, with a statement that was offered."""
    return edit(page, _editor(page, kind, "", with_statement(EMPTY, page.query("add"))))


async def edit_inline(kind: Kind, page: Page) -> Response:
    """Show the editor of an inline policy."""
    policy = page.path("policy")
    found = await page.api.iam(
        f"Get{kind.noun}Policy", PolicyName=policy, **kind.named(page.path("name"))
    )
    text = with_statement(text_of(found["PolicyDocument"]), page.query("add"))
    return edit(page, _editor(page, kind, policy, text))


async def save_inline(kind: Kind, page: Page) -> Response:
    """Save an inline policy."""
    name, policy, text = page.path("name"), page.form.value("name"), page.form.exact("policy")
    try:
        await page.api.iam(
            f"Put{kind.noun}Policy",
            PolicyName=policy,
            PolicyDocument=text,
            **kind.named(name),
        )
    except ApiRefused as refused:
        return edit_again(page, _editor(page, kind, policy, text), refused)
    page.notify(page.text("The policy %(name)s was saved.", name=policy))
    return page.redirect(kind.address(name))


async def delete_inline(kind: Kind, page: Page) -> Response:
    """Delete an inline policy."""
    name, policy = page.path("name"), page.form.value("policy")
    await page.api.iam(f"Delete{kind.noun}Policy", PolicyName=policy, **kind.named(name))
    page.notify(page.text("The policy %(name)s was deleted.", name=policy))
    return page.redirect(kind.address(name))


async def show_boundary(kind: Kind, page: Page) -> Response:
    """Go to the editor of the policy that is the boundary, with a statement that was offered."""
    found = await page.api.iam(f"Get{kind.noun}", **kind.named(page.path("name")))
    boundary = (found[kind.noun].get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    if boundary is None:
        return page.redirect(kind.address(page.path("name")))
    added = quote(page.query("add"), safe="")
    return page.redirect(f"/access/policy-version?arn={quote(boundary, safe='')}&add={added}")


async def set_boundary(kind: Kind, page: Page) -> Response:
    """Set the permissions boundary, or remove it if none is named."""
    name, arn = page.path("name"), page.form.optional("policy")
    if arn is None:
        await page.api.iam(f"Delete{kind.noun}PermissionsBoundary", **kind.named(name))
        page.notify(page.text("The permissions boundary was removed."))
    else:
        await page.api.iam(
            f"Put{kind.noun}PermissionsBoundary", PermissionsBoundary=arn, **kind.named(name)
        )
        page.notify(page.text("The permissions boundary was set."))
    return page.redirect(kind.address(name))


def _routes(kind: Kind) -> tuple[PageRoute, ...]:
    root = f"/access/{kind.folder}/{{name}}"
    made = (
        post(f"{root}/attach", of(kind, attach)),
        post(f"{root}/detach", of(kind, detach)),
        get(f"{root}/inline", of(kind, new_inline)),
        post(f"{root}/inline", of(kind, save_inline)),
        post(f"{root}/inline/delete", of(kind, delete_inline)),
        get(f"{root}/inline/{{policy}}", of(kind, edit_inline)),
    )
    if kind is GROUPS:
        return made
    return (
        *made,
        get(f"{root}/boundary", of(kind, show_boundary)),
        post(f"{root}/boundary", of(kind, set_boundary)),
    )


ROUTES: Final = tuple(route for kind in KINDS for route in _routes(kind))
