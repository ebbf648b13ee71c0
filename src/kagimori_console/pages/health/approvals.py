"""Dangerous actions that operators approve together: the requests, and who may sign."""

from starlette.responses import Response

from kagimori_console.pages.health.asking import failure_in, found_in, tried
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get


async def show(page: Page) -> Response:
    """Show operators and requests, the newest first; they are signed by the command alone."""
    operators = await tried(page.api, "ListOperators")
    failure = failure_in(operators)
    approvals = []
    if failure is None:
        approvals = await page.api.all("kagimori", "ListApprovals", "Approvals")
    return page.render(
        "health/approvals.html",
        operators=found_in(operators),
        approvals=list(reversed(approvals)),
        failure=failure,
    )


ROUTES = (get("/health/approvals", show),)
