"""Usage by month, key, principal and operation, and what AWS would have charged for it."""

from typing import Final

from kagimori_console.pages.costs import twin, usage
from kagimori_console.web.routing import PageRoute

ROUTES: Final[tuple[PageRoute, ...]] = (*usage.ROUTES, *twin.ROUTES)
