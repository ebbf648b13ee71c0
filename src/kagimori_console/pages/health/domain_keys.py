"""Domain keys, which wrap every stored key: their age, and how far all is under the newest."""

from typing import Final

from starlette.responses import Response

from kagimori_console.pages.health.asking import failure_in, found_in, tried
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

_HOUR_SECONDS: Final = 3600.0


async def show(page: Page) -> Response:
    """Show the domains with their keys."""
    domains = await tried(page.api, "GetDomainStatus")
    found = found_in(domains)
    ages = {
        key["DomainKeyId"]: round((page.now - key["CreatedAt"]) / _HOUR_SECONDS)
        for domain in (found or {}).get("Domains", ())
        for key in domain["Keys"]
        if key.get("CreatedAt") is not None
    }
    return page.render(
        "health/domain_keys.html", domains=found, ages=ages, failure=failure_in(domains)
    )


ROUTES = (get("/health/domain-keys", show),)
