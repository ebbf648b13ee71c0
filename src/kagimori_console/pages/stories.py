"""Every component of the console on one page, with made-up data: for those who build it."""

from typing import Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

_REFUSED: Final = ApiRefused(
    "kms",
    "DisableKey",
    code="AccessDeniedException",
    message=(
        "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: kms:DisableKey"
    ),
    status=400,
    request_id="5f0c3a52-7a5b-4e4e-9d3e-2a0d5c1f7e11",
)


async def stories(page: Page) -> Response:
    """Show the components."""
    return page.render("stories.html", failure=_REFUSED)


ROUTES = (get("/stories", stories),)
