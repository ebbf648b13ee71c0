"""The cost of a KMS key in a month: its versions and the requests with it, by both price lists.

The service counts requests by key, but not by key and operation, and free requests are those of
the whole account. So the price of one key is shown without them, at the price of its kind of key.
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure
from kagimori_console.pages.key.subject import load, show, split
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

MONTHS: Final = 12
_PAGE_ENTRIES: Final = 1_000
_PAGES_MAX: Final = 20
_KEY_VERSIONS: Final = "key versions"
_STANDARD: Final = "requests, standard"
_SYMMETRIC: Final = ("SYMMETRIC_", "HMAC_")
# How many versions of a key are charged, where it is not all of them. Source: AWS KMS pricing.
_VERSIONS_CHARGED: Final = {"current": 3}
_PER_REQUESTS: Final = Decimal(10_000)
_MILLIONTH: Final = Decimal("0.000001")


@dataclass(frozen=True)
class Used:
    """Usage of one key in a month: requests of all accounts, and the hours of its versions."""

    requests: int
    billed: int
    version_hours: tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """The Region and the spec of a key, on which prices depend."""

    region: str
    key_spec: str

    @property
    def items(self) -> tuple[str, ...]:
        """The items of a bill that its requests are billed as, the first that there is."""
        if self.key_spec == "RSA_2048":
            return "requests, rsa 2048", _STANDARD
        if self.key_spec.startswith(_SYMMETRIC):
            return (_STANDARD,)
        return "requests, asymmetric", _STANDARD


@dataclass(frozen=True)
class Price:
    """The cost of a key by one price list; `request_price` is that of 10,000."""

    price_list: str
    currency: str
    version_months: Decimal
    version_price: Decimal
    versions: Decimal
    request_price: Decimal
    requests: Decimal

    @property
    def total(self) -> Decimal:
        """The sum."""
        return self.versions + self.requests


async def cost(page: Page) -> Response:
    """Show usage and price of the key."""
    months = months_until(page.now)
    month = page.query("month") if page.query("month") in months else months[0]
    subject = await load(page)
    answers, failure = split(await _usage(page, month))
    arn = str((subject.key or {}).get("Arn", subject.reference))
    entries = [one for answer in answers or () for one in answer.get("Entries", [])]
    used = used_of(entries, arn)
    bills = (answers or [{}])[0].get("Bills", [])
    owned = [one for one in bills if f":{one.get('AccountId')}:" in arn]
    spec = str((subject.key or {}).get("KeySpec", ""))
    place = Place(arn.split(":")[3] if arn.startswith("arn:") else page.session.region, spec)
    prices = [price_of(one, used, place, month) for one in owned]
    return show(
        page,
        subject,
        "cost",
        months=months,
        month=month,
        used=used,
        prices=prices,
        usage_failure=failure,
    )


def months_until(now: float) -> list[str]:
    """Return the last months (UTC), such as `2026-11`, newest first."""
    at = datetime.fromtimestamp(now, UTC)
    first = at.year * 12 + at.month - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(first, first - MONTHS, -1)]


def used_of(entries: Iterable[dict[str, Any]], arn: str) -> Used:
    """Return the usage of the key with an ARN, of all accounts that asked."""
    requests, billed = 0, 0
    hours: tuple[int, ...] = ()
    for entry in entries:
        if entry.get("Name") == arn and entry.get("Service") == "kms":
            requests += int(entry.get("Requests", 0))
            billed += int(entry.get("BilledRequests", 0))
            hours = tuple(entry.get("VersionHours") or hours)
    return Used(requests, billed, hours)


def price_of(bill: dict[str, Any], used: Used, place: Place, month: str) -> Price:
    """Return the cost of a key by the unit prices of a bill."""
    lines = [one for one in bill.get("Lines", []) if one.get("Region") == place.region]
    units = {str(one.get("Item")): Decimal(one.get("UnitPrice", "0")) for one in lines}
    name = str(bill.get("PriceList", ""))
    charged = sum(used.version_hours[: _VERSIONS_CHARGED.get(name)])
    version_months = Decimal(charged) / hours_of(month)
    version_price = units.get(_KEY_VERSIONS, Decimal(0))
    request_price = next((units[one] for one in place.items if one in units), Decimal(0))
    return Price(
        price_list=name,
        currency=str(bill.get("Currency", "")),
        version_months=version_months.quantize(_MILLIONTH),
        version_price=version_price,
        versions=(version_months * version_price).quantize(_MILLIONTH),
        request_price=request_price,
        requests=(Decimal(used.billed) / _PER_REQUESTS * request_price).quantize(_MILLIONTH),
    )


def hours_of(month: str) -> int:
    """Return the hours of a month such as `2026-11`."""
    year, _, number = month.partition("-")
    return monthrange(int(year), int(number))[1] * 24


async def _usage(page: Page, month: str) -> list[dict[str, Any]] | ApiFailure:
    """Return the pages of usage by key, or the failure."""
    members = {"Month": month, "GroupBy": "KEY", "MaxResults": _PAGE_ENTRIES}
    answers: list[dict[str, Any]] = []
    try:
        async for answer in page.api.pages("kagimori", "GetUsage", **members):
            answers.append(answer)
            if len(answers) == _PAGES_MAX:
                break
    except ApiFailure as failure:
        return failure
    return answers


ROUTES = (get("/keys/{key_id:key}/cost", cost),)
