"""Events as they come: a page, and the list of new events that its script asks for."""

from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiAway, ApiRefused
from kagimori_console.pages.audit.links import event_address, resource_address
from kagimori_console.pages.audit.searching import address, fields_of, members_of, search
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

_PAGE: Final = 100
_UNAVAILABLE: Final = 503
_BAD_REQUEST: Final = 400
_OWN_LOOKS: Final = "SearchEvents"


async def show(page: Page) -> Response:
    """Show the page, which fills while it is open."""
    fields = fields_of(page.request.query_params)
    looks = bool(page.query("looks"))
    asked = {**fields, "looks": "yes"} if looks else fields
    return page.render(
        "audit/live.html",
        fields=fields,
        looks=looks,
        source=address("/audit/live.json", asked),
        search=address("/audit/events", fields),
    )


async def news(page: Page) -> Response:
    """Answer the events after a position, and the position after them, as JSON."""
    try:
        members = members_of(fields_of(page.request.query_params))
        after = page.query("after")
        members |= {"NextToken": after} if after else {"StartAtEnd": True}
        found = await search(page.api, {**members, "MaxResults": _PAGE})
    except ApiAway:
        return page.json({"problem": page.text("The service does not answer")}, status=_UNAVAILABLE)
    except ApiRefused as refused:
        problem = f"{refused.code}: {refused.message}"
        return page.json({"problem": problem}, status=_BAD_REQUEST)
    except ValueError:
        problem = page.text("A time must look like 2026-11-28T09:30.")
        return page.json({"problem": problem}, status=_BAD_REQUEST)
    looks = bool(page.query("looks"))
    events = [
        _shown(event) for event in found["Events"] if looks or event["EventName"] != _OWN_LOOKS
    ]
    position = found.get("PositionToken") or found.get("NextToken")
    return page.json({"events": events, "position": position, "more": "NextToken" in found})


def _shown(event: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(float(event["EventTime"]), UTC)
    return {
        "at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "utc": at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "name": event["EventName"],
        "source": event["EventSource"],
        "address": event_address(event),
        "user": event.get("Username") or "-",
        "error": event.get("ErrorCode") or "",
        "resources": [
            {"name": one["ResourceName"], "address": resource_address(one["ResourceName"])}
            for one in event.get("Resources") or ()
        ],
    }


ROUTES = (
    get("/audit/live", show),
    get("/audit/live.json", news, background=True),
)
