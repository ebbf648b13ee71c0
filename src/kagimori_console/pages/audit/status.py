"""The state of the trail: its journals, its digests, and the key that signs them."""

from typing import Final

from starlette.responses import Response

from kagimori_console.web.page import Page
from kagimori_console.web.routing import get


async def show(page: Page) -> Response:
    """Show how far the trail is written and signed."""
    found = await page.api.admin("GetAuditStatus")
    streams = found.get("Streams") or []
    return page.render("audit/status.html", status=200, found=found, streams=streams)


ROUTES: Final = (get("/audit/status", show),)
