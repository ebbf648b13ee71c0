"""The list of keys."""

from starlette.responses import Response

from kagimori_console.web.page import Page
from kagimori_console.web.routing import get


async def first(page: Page) -> Response:
    """Go to the list of keys."""
    return page.redirect("/keys")


async def customer_keys(page: Page) -> Response:
    """List the customer managed keys of the region."""
    found = await page.api.kms("ListKeys", Limit=100)
    return page.render("keys/list.html", keys=found["Keys"])


ROUTES = (
    get("/", first),
    get("/keys", customer_keys),
)
