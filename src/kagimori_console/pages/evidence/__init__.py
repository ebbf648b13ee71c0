"""Evidence for auditors: controls with live facts, on a page and as files."""

from typing import Final

from kagimori_console.pages.evidence import report
from kagimori_console.web.routing import PageRoute

ROUTES: Final[tuple[PageRoute, ...]] = report.ROUTES
