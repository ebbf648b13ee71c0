"""The usage of a month and its bills, as tables, plots and CSV."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.costs.counting import (
    GROUPS,
    Usage,
    as_csv,
    charged_items,
    most_requested,
    totals,
    usage_of,
)
from kagimori_console.web.page import Page
from kagimori_console.web.plots import answer, bars
from kagimori_console.web.routing import get

_BARS_MAX: Final = 12
_MONTHS: Final = 12


async def show(page: Page) -> Response:
    """Show requests and bills of a month."""
    found: Usage | None = None
    failure: ApiFailure | None = None
    try:
        found = await _asked_for(page)
    except ApiRefused as refused:
        if refused.signed_out:
            raise
        failure = refused
    chosen = _chosen(page)
    return page.render(
        "costs/usage.html",
        status=200 if failure is None else 400,
        usage=found,
        failure=failure,
        chosen=chosen,
        months=_months(page.now, chosen["month"]),
        query=urlencode({name: value for name, value in chosen.items() if value}),
        totals=[] if found is None else totals(found.bills),
        charged=[] if found is None else charged_items(found.bills)[0],
    )


async def requests_plot(page: Page) -> Response:
    """Draw the names with the most requests."""
    rows = most_requested((await _asked_for(page)).entries, _BARS_MAX)
    series = [
        (page.text("Requests"), [one[1] for one in rows]),
        (page.text("Billed"), [one[2] for one in rows]),
    ]
    return answer(bars(page.query("theme"), [one[0] for one in rows], series))


async def bills_plot(page: Page) -> Response:
    """Draw the items of the bills by both price lists."""
    items, amounts = charged_items((await _asked_for(page)).bills)
    return answer(bars(page.query("theme"), items, list(amounts.items())))


async def download(page: Page) -> Response:
    """Give the entries as CSV."""
    found = await _asked_for(page)
    name = f"kagimori-usage-{found.month}-{_chosen(page)['by'].lower()}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(as_csv(found.entries), media_type="text/csv; charset=utf-8", headers=headers)


async def _asked_for(page: Page) -> Usage:
    chosen = _chosen(page)
    return await usage_of(
        page.api, month=chosen["month"], group=chosen["by"], account=chosen["account"]
    )


def _chosen(page: Page) -> dict[str, str]:
    by = page.query("by")
    return {
        "month": page.query("month"),
        "by": by if by in GROUPS else GROUPS[0],
        "account": page.query("account").strip(),
    }


def _months(now: float, chosen: str) -> list[str]:
    """Return this month and those before it, the newest first, and the one that was chosen."""
    today = datetime.fromtimestamp(now, UTC)
    count = today.year * 12 + today.month - 1
    found = [f"{one // 12:04}-{one % 12 + 1:02}" for one in range(count, count - _MONTHS, -1)]
    return found if not chosen or chosen in found else [*found, chosen]


ROUTES = (
    get("/costs", show),
    get("/costs/requests.svg", requests_plot),
    get("/costs/bills.svg", bills_plot),
    get("/costs/usage.csv", download),
)
