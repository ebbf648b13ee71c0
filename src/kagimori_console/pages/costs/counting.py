"""Usage of a month, as it is asked for and put together for tables, plots and CSV."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from kagimori_console.api.api import Api
from kagimori_console.pages.health.asking import asked

GROUPS: Final = ("OPERATION", "KEY", "PRINCIPAL")
ENTRIES_MAX: Final = 20_000
_PAGE: Final = 1000
_COLUMNS: Final = (
    "account_id", "region", "service", "name", "requests", "billed_requests", "version_hours",
)  # fmt: skip
# A spreadsheet takes what begins so for a formula. Source: OWASP, CSV Injection.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Usage:
    """The usage of a month; `cut` if there is more than a page may show."""

    month: str
    entries: list[dict[str, Any]]
    bills: list[dict[str, Any]]
    cut: bool = False


async def usage_of(api: Api, *, month: str, group: str, account: str) -> Usage:
    """Return the usage of a month.

    Raises:
        ApiRefused, ApiAway: as calls of the service.
    """
    members: dict[str, Any] = {
        "Month": month or None,
        "GroupBy": group if group in GROUPS else GROUPS[0],
        "AccountId": account or None,
        "MaxResults": _PAGE,
    }
    first = page = await asked(api, "GetUsage", **members)
    entries = list(page["Entries"])
    while page.get("NextToken") and len(entries) < ENTRIES_MAX:
        page = await asked(api, "GetUsage", **members, NextToken=page["NextToken"])
        entries += page["Entries"]
    return Usage(first["Month"], entries, first.get("Bills", []), bool(page.get("NextToken")))


def most_requested(entries: Iterable[Mapping[str, Any]], number: int) -> list[tuple[str, int, int]]:
    """Return the names with the most requests, with all and with billed ones."""
    requests: dict[str, int] = defaultdict(int)
    billed: dict[str, int] = defaultdict(int)
    for one in entries:
        name = str(one.get("Name", "-"))
        requests[name] += one["Requests"]
        billed[name] += one["BilledRequests"]
    names = sorted(requests, key=lambda name: (-requests[name], name))
    return [(name, requests[name], billed[name]) for name in names[:number]]


def totals(bills: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, Decimal]]:
    """Return the sum of all bills by price list: its name, the currency, the sum."""
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for bill in bills:
        found[bill["PriceList"], bill["Currency"]] += Decimal(bill["Total"])
    return [(prices, currency, total) for (prices, currency), total in sorted(found.items())]


def charged_items(bills: Iterable[Mapping[str, Any]]) -> tuple[list[str], dict[str, list[float]]]:
    """Return the items that cost something, and what each costs by price list."""
    amounts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    lists: set[str] = set()
    for bill in bills:
        lists.add(bill["PriceList"])
        for line in bill["Lines"]:
            amounts[line["Item"]][bill["PriceList"]] += float(line["Amount"])
    items = sorted(item for item, by_list in amounts.items() if any(by_list.values()))
    return items, {one: [amounts[item][one] for item in items] for one in sorted(lists)}


def as_csv(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return entries as CSV, in the columns of `kagimori usage --output csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in entries:
        hours = " ".join(map(str, one["VersionHours"]))
        names = [str(one.get(name, "")) for name in ("AccountId", "Region", "Service", "Name")]
        writer.writerow([*map(_plain, names), one["Requests"], one["BilledRequests"], hours])
    return text.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
