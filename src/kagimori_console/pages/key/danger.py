"""The page before something that may stop others: who used the key, and what would stop.

Nothing is done before an alias of the key, or its id, was typed; that is checked here.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.key import tally
from kagimori_console.pages.key.grants import grants_of
from kagimori_console.pages.key.subject import Subject, load, show, split
from kagimori_console.pages.key.trail import Events, events_of
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_DAYS: Final = 30
_EVENTS_MAX: Final = 3_000
WAITING_DAYS: Final = (7, 30)
_NOT_FOUND: Final = 404


@dataclass(frozen=True)
class Action:
    """A dangerous action: its operation, and the tab to go to when it is done."""

    operation: str
    tab: str


ACTIONS: Final = {
    "disable": Action("DisableKey", ""),
    "delete": Action("ScheduleKeyDeletion", ""),
    "delete-material": Action("DeleteImportedKeyMaterial", "material"),
    "stop-rotation": Action("DisableKeyRotation", "rotation"),
    "delete-alias": Action("DeleteAlias", "aliases"),
}


async def ask(page: Page) -> Response:
    """Show the consequences."""
    _action(page)
    return await _asked(page)


async def do(page: Page) -> Response:
    """Do it, if the alias or the id of the key was typed."""
    action = _action(page)
    subject = await load(page)
    if not subject.confirmed_by(page.form.value("confirmation")):
        problem = page.text("That is neither an alias of the key nor its id. Nothing was changed.")
        return await _asked(page, problem=problem)
    if action.operation == "DeleteAlias" and _of(page, "alias") not in subject.names:
        problem = page.text("This is no alias of the key. Nothing was changed.")
        return await _asked(page, problem=problem)
    try:
        members = _members(page, subject, action)
        await page.api.kms(action.operation, **members)
    except ApiRefused as refused:
        return await _asked(page, failure=refused)
    page.notify(_done(page, action))
    return page.redirect(subject.path(action.tab))


def _action(page: Page) -> Action:
    try:
        return ACTIONS[page.path("action")]
    except KeyError:
        raise HTTPException(_NOT_FOUND) from None


def _members(page: Page, subject: Subject, action: Action) -> dict[str, Any]:
    if action.operation == "DeleteAlias":
        return {"AliasName": _of(page, "alias")}
    members: dict[str, Any] = {"KeyId": subject.reference}
    if action.operation == "ScheduleKeyDeletion":
        members["PendingWindowInDays"] = page.form.number("days") or 0
    if action.operation == "DeleteImportedKeyMaterial":
        members["KeyMaterialId"] = _of(page, "material") or None
    return members


def _of(page: Page, name: str) -> str:
    """Return a parameter: of the form that was sent, or of the address."""
    return page.form.value(name) or page.query(name)


async def _asked(page: Page, *, failure: ApiFailure | None = None, problem: str = "") -> Response:
    subject, used, guard, grants = await asyncio.gather(
        load(page),
        page.api.tried("kms", "GetKeyLastUsage", KeyId=page.path("key_id")),
        page.api.tried("kagimori", "GetKeyGuard"),
        grants_of(page),
    )
    found = await events_of(page, subject.reference, _DAYS, events_max=_EVENTS_MAX)
    events, events_failure = split(found)
    last, last_failure = split(used)
    guarded, guard_failure = split(guard)
    answered, grants_failure = split(grants)
    held, grants_more = answered or ([], False)
    uses = _uses(events)
    alias = _of(page, "alias")
    return show(
        page,
        subject,
        "danger",
        failure=failure,
        problem=problem,
        action=page.path("action"),
        alias=alias,
        alias_uses=sum(one.key_named.endswith(alias) for one in uses) if alias else 0,
        material=_of(page, "material"),
        waiting=page.form.value("days") or str(WAITING_DAYS[1]),
        days=_DAYS,
        callers=tally.by_caller(uses),
        uses=len(uses),
        more=events.more if events else False,
        events_failure=events_failure,
        last=last,
        last_failure=last_failure,
        guard_days=(guarded or {}).get("Days"),
        guard_failure=guard_failure,
        grants=len(held),
        services=sorted({one["GranteeServicePrincipal"] for one in held if _service(one)}),
        grants_more=grants_more,
        grants_failure=grants_failure,
    )


def _uses(events: Events | None) -> list[tally.Event]:
    """Return the uses of the key that succeeded: a refused one would stop nothing."""
    found = [tally.event_of(one) for one in (events.found if events else ())]
    return [one for one in found if one.is_use and not one.error]


def _service(grant: dict[str, Any]) -> bool:
    return bool(grant.get("GranteeServicePrincipal"))


def _done(page: Page, action: Action) -> str:
    texts = {
        "DisableKey": page.text("The key is disabled."),
        "ScheduleKeyDeletion": page.text(
            "The deletion of the key is scheduled. Until then you can cancel it."
        ),
        "DeleteImportedKeyMaterial": page.text("The key material is deleted."),
        "DisableKeyRotation": page.text("The key is not rotated automatically any more."),
        "DeleteAlias": page.text("The alias is deleted."),
    }
    return texts[action.operation]


ROUTES = (
    get("/keys/{key_id:key}/confirm/{action}", ask),
    post("/keys/{key_id:key}/confirm/{action}", do),
)
