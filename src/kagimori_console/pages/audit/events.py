"""The events of the trail, searched by everything that they can be found by."""

from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.audit.links import event_address, resource_address
from kagimori_console.pages.audit.searching import address, fields_of, members_of, search_on
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

_PAGE: Final = 50


async def show(page: Page) -> Response:
    """Show the newest events that match."""
    fields = fields_of(page.request.query_params)
    events: list[Any] = []
    token: str | None = None
    failure, problem, status = None, "", 200
    try:
        members = members_of(fields)
        members |= {"Order": "NEWEST_FIRST", "MaxResults": _PAGE}
        events, token = await search_on(
            page.api, {**members, "NextToken": page.query("token") or None}
        )
    except ValueError:
        problem, status = page.text("A time must look like 2026-11-28T09:30."), 400
    except ApiRefused as refused:
        if refused.signed_out:
            raise
        failure, status = refused, 400
    older = None if token is None else address("/audit/events", {**fields, "token": token})
    return page.render(
        "audit/events.html",
        status=status,
        fields=fields,
        events=events,
        event_address=event_address,
        resource_address=resource_address,
        older=older,
        first=address("/audit/events", fields),
        live=address("/audit/live", fields),
        later=bool(page.query("token")),
        failure=failure,
        problem=problem,
    )


ROUTES = (get("/audit/events", show),)
