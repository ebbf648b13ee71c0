"""The report on a page, and its two files."""

import json
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.pages.evidence.answers import Answers
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get
from kagimori_evidence.asking import collected_async
from kagimori_evidence.collecting import Bounds, report_of
from kagimori_evidence.controls import controls, standards
from kagimori_evidence.document import as_html

# A page must come within seconds; the command looks at everything.
BOUNDS: Final = Bounds(keys_max=100, users_max=100, identities_max=50)


async def show(page: Page) -> Response:
    """Show the controls, the facts, and what could not be read."""
    return page.render(
        "evidence/report.html",
        report=await _report(page),
        controls=controls(page.texts.language),
        standards=standards(),
    )


async def as_json(page: Page) -> Response:
    """Give the report as JSON."""
    text = json.dumps(await _report(page), indent=1, ensure_ascii=False) + "\n"
    return _file(text, "evidence.json", "application/json")


async def as_document(page: Page) -> Response:
    """Give the report as one HTML file, to keep and not to show here."""
    return _file(as_html(await _report(page)), "evidence.html", "text/html; charset=utf-8")


async def _report(page: Page) -> dict[str, Any]:
    collecting = report_of(page.now, page.options.endpoint_url, page.options.regions, BOUNDS)
    return await collected_async(collecting, Answers(page))


def _file(text: str, name: str, media_type: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=media_type, headers=headers)


ROUTES: Final = (
    get("/evidence", show),
    get("/evidence/evidence.json", as_json),
    get("/evidence/evidence.html", as_document),
)
