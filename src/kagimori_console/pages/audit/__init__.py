"""The audit trail: events as they come, searched, one whole, their chain, and proofs from them."""

from typing import Final

from kagimori_console.pages.audit import event, events, live, proof, status
from kagimori_console.web.routing import PageRoute

ROUTES: Final[tuple[PageRoute, ...]] = (
    *events.ROUTES,
    *live.ROUTES,
    *event.ROUTES,
    *status.ROUTES,
    *proof.ROUTES,
)
