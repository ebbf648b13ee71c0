"""Deleting users, groups and roles: shown first is what goes with them.

IAM deletes nothing that still holds something, so that is taken away first, one after the other.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.api import Api
from kagimori_console.pages.access.asking import Question, answered, ask, confirmation, not_yet
from kagimori_console.pages.access.kinds import GROUPS, KINDS, USERS, Kind, of, part
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post


@dataclass(frozen=True)
class Loss:
    """One thing that goes: how it is shown, and the call that takes it away."""

    shown: str
    operation: str
    members: dict[str, Any]


async def losses_of(api: Api, kind: Kind, name: str) -> list[Loss]:
    """Return everything that must go before an identity can be deleted."""
    named = kind.named(name)
    attached, inline = await asyncio.gather(
        part(api, f"ListAttached{kind.noun}Policies", "AttachedPolicies", **named),
        part(api, f"List{kind.noun}Policies", "PolicyNames", **named),
    )
    losses = [
        Loss(one["PolicyName"], f"Detach{kind.noun}Policy", {"PolicyArn": one["PolicyArn"]})
        for one in attached.items
    ]
    losses += [Loss(one, f"Delete{kind.noun}Policy", {"PolicyName": one}) for one in inline.items]
    if kind is GROUPS:
        members = await part(api, "GetGroup", "Users", **named)
        losses += [
            Loss(one["UserName"], "RemoveUserFromGroup", {"UserName": one["UserName"]})
            for one in members.items
        ]
    if kind is USERS:
        losses += await _of_user(api, name)
    return [Loss(one.shown, one.operation, {**one.members, **named}) for one in losses]


async def _of_user(api: Api, name: str) -> list[Loss]:
    keys, devices, groups, profile = await asyncio.gather(
        part(api, "ListAccessKeys", "AccessKeyMetadata", UserName=name),
        part(api, "ListMFADevices", "MFADevices", UserName=name),
        part(api, "ListGroupsForUser", "Groups", UserName=name),
        api.tried("iam", "GetLoginProfile", UserName=name),
    )
    losses = [
        Loss(one["AccessKeyId"], "DeleteAccessKey", {"AccessKeyId": one["AccessKeyId"]})
        for one in keys.items
    ]
    losses += [
        Loss(one["SerialNumber"], "DeactivateMFADevice", {"SerialNumber": one["SerialNumber"]})
        for one in devices.items
    ]
    losses += [
        Loss(one["GroupName"], "RemoveUserFromGroup", {"GroupName": one["GroupName"]})
        for one in groups.items
    ]
    if isinstance(profile, dict):
        losses.append(Loss(name, "DeleteLoginProfile", {}))
    return losses


def _question(page: Page, kind: Kind, losses: list[Loss]) -> Question:
    name = page.path("name")
    titles = {
        "User": page.text("Delete user %(name)s", name=name),
        "Group": page.text("Delete group %(name)s", name=name),
        "Role": page.text("Delete role %(name)s", name=name),
    }
    return Question(
        title=titles[kind.noun],
        button=page.text("Delete"),
        back=kind.address(name),
        fields=(confirmation(page, name),),
        danger=True,
        note=page.text(
            "It cannot be brought back: one of the same name is another one, whom key policies "
            "and grants do not mean. These are taken away first:"
        ),
        losses=tuple(f"{one.operation}: {one.shown}" for one in losses),
    )


async def ask_delete(kind: Kind, page: Page) -> Response:
    """Show everything that goes, and ask for the name."""
    losses = await losses_of(page.api, kind, page.path("name"))
    return ask(page, _question(page, kind, losses))


async def delete(kind: Kind, page: Page) -> Response:
    """Take everything away that an identity has, and delete it."""
    name = page.path("name")
    losses = await losses_of(page.api, kind, name)
    question = _question(page, kind, losses)
    if page.form.value("confirm") != name:
        return not_yet(page, question, page.text("The name is another one."))

    async def act() -> Response:
        for one in losses:
            await page.api.iam(one.operation, **one.members)
            if one.operation == "DeactivateMFADevice":
                serial = one.members["SerialNumber"]
                await page.api.tried("iam", "DeleteVirtualMFADevice", SerialNumber=serial)
        await page.api.iam(f"Delete{kind.noun}", **kind.named(name))
        page.notify(page.text("%(name)s was deleted.", name=name))
        return page.redirect(f"/access/{kind.folder}")

    return await answered(page, question, act)


ROUTES: Final = tuple(
    route
    for kind in KINDS
    for route in (
        get(f"/access/{kind.folder}/{{name}}/delete", of(kind, ask_delete)),
        post(f"/access/{kind.folder}/{{name}}/delete", of(kind, delete)),
    )
)
