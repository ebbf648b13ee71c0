"""The health of a deployment: its server and nodes, requests, domain keys, quotas, approvals."""

from typing import Final

from kagimori_console.pages.health import approvals, domain_keys, overview, quotas, requests
from kagimori_console.web.routing import PageRoute

ROUTES: Final[tuple[PageRoute, ...]] = (
    *overview.ROUTES,
    *requests.ROUTES,
    *domain_keys.ROUTES,
    *quotas.ROUTES,
    *approvals.ROUTES,
)
