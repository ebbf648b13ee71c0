"""One event whole: in words, its facts, and the record as it is in the trail."""

import json
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from kagimori_console.pages.audit.links import identity_address, resource_address
from kagimori_console.pages.audit.searching import search_on, seconds_of
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

_NOT_FOUND: Final = 404
_DENIED: Final = ("AccessDenied", "AccessDeniedException")


async def show(page: Page) -> Response:
    """Show an event by its id; its time, if it is given, makes it found at once."""
    members: dict[str, Any] = {"EventId": page.path("event_id"), "Order": "NEWEST_FIRST"}
    at = page.query("at")
    if at:
        try:
            members |= {"StartTime": seconds_of(at) - 1, "EndTime": seconds_of(at) + 1}
        except ValueError:
            raise HTTPException(_NOT_FOUND) from None
    token: str | None = None
    while True:
        found, token = await search_on(page.api, {**members, "NextToken": token})
        if found or token is None:
            break
    if not found:
        return page.render("audit/no_event.html", status=_NOT_FOUND, event_id=page.path("event_id"))
    event = found[0]
    record = json.loads(event["CloudTrailEvent"])
    identity = record.get("userIdentity") or {}
    return page.render(
        "audit/event.html",
        event=event,
        record=record,
        identity=identity,
        who=event.get("Username") or identity.get("arn") or page.text("Somebody unknown"),
        who_address=identity_address(str(identity.get("arn") or "")),
        resources=[
            (one["ResourceName"], resource_address(one["ResourceName"]))
            for one in event.get("Resources") or ()
        ],
        denied=event.get("ErrorCode") in _DENIED,
    )


ROUTES = (get("/audit/event/{event_id}", show),)
