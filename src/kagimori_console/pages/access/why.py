"""The reasons of a denial: each policy and statement, and the smallest change that would allow it.

A change is offered as a link to the editor with the statement filled in, and never made by itself.
"""

import asyncio
import json
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.access.changes import Change, changes_for, role_name
from kagimori_console.pages.audit.links import event_address, identity_address, resource_address
from kagimori_console.pages.audit.searching import search_on
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

_RECENT: Final = 20
_WAITS_SECONDS: Final = (0.3, 0.7, 1.0)
# The sides that a decision has, by how the names of their policies begin.
_SIDES: Final = ("identity policy", "permissions boundary", "session policy")


async def ask(page: Page) -> Response:
    """Show the form for a request's id, and the newest denials in the trail."""
    request_id = page.query("request_id").strip()
    if request_id:
        return page.redirect(f"/why/{quote(request_id, safe='')}")
    recent: list[Any] = []
    failure: ApiFailure | None = None
    try:
        recent, _ = await search_on(
            page.api,
            {"ErrorCode": "AccessDenied", "Order": "NEWEST_FIRST", "MaxResults": _RECENT},
        )
    except ApiFailure as failed:
        failure = failed
    return page.render(
        "access/why_ask.html",
        recent=recent,
        failure=failure,
        event_address=event_address,
        request_id_of=_request_id,
    )


async def show(page: Page) -> Response:
    """Show the decision behind the denial of a request."""
    denial = await _denial(page, page.path("request_id"))
    changes = changes_for(denial, await _caller(page, denial))
    return page.render(
        "access/why.html",
        denial=denial,
        sides=_sides(denial),
        changes=changes,
        change_texts=[_text(page, change) for change in changes],
        caller_address=identity_address(denial["Caller"]),
        resource_address=resource_address(denial.get("Resource") or ""),
    )


def _request_id(event: dict[str, Any]) -> str:
    return str(json.loads(event["CloudTrailEvent"]).get("requestID") or "")


async def _denial(page: Page, request_id: str) -> dict[str, Any]:
    """Return a denial; the service keeps it a moment after the request was denied."""
    for wait in _WAITS_SECONDS:
        try:
            found = await page.api.admin("GetDenial", RequestId=request_id)
        except ApiRefused as refused:
            if refused.code != "ResourceNotFoundException":
                raise
            await asyncio.sleep(wait)
        else:
            break
    else:
        found = await page.api.admin("GetDenial", RequestId=request_id)
    denial: dict[str, Any] = found["Denial"]
    return denial


async def _caller(page: Page, denial: dict[str, Any]) -> str:
    """Return the ARN that policies name the caller by: of a session, its role's."""
    name = role_name(denial["Caller"])
    if name is None or denial["AccountId"] != page.person.account_id:
        return str(denial["Caller"])
    found = await page.api.tried("iam", "GetRole", RoleName=name)
    return str(denial["Caller"] if isinstance(found, ApiFailure) else found["Role"]["Arn"])


def _sides(denial: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the policies of each side, the sides in the order in which people look at them."""
    sides: dict[str, list[dict[str, Any]]] = {}
    for policy in denial.get("Policies") or ():
        name = str(policy["Policy"])
        side = next((side for side in _SIDES if name.startswith(side)), name)
        sides.setdefault(side, []).append(policy)
    return list(sides.items())


def _text(page: Page, change: Change) -> str:
    texts = {
        "key policy": page.text("Add this statement to the key policy"),
        "role trust policy": page.text("Add this statement to the role's trust policy"),
        "identity policy": page.text("Add this statement to a policy of the caller"),
        "permissions boundary": page.text("Add this statement to the permissions boundary"),
        "session policy": page.text("Begin a session whose session policy has this statement"),
    }
    return texts[change.kind]


ROUTES = (
    get("/why", ask),
    get("/why/{request_id}", show),
)
