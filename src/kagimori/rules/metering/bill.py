"""The bill of an account for a month, by a price list: what AWS would have charged."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from time import gmtime
from typing import Final

from msgspec import Struct

from kagimori.rules.metering.key_lives import KeyLife, version_hours
from kagimori.rules.metering.price_list import PriceList
from kagimori.rules.metering.request_kinds import CLASSES, HOUR_SECONDS, STANDARD

_CENT: Final = Decimal("0.01")
_PARTS: Final = Decimal("0.000001")
_PER: Final = Decimal(10_000)
KEY_MONTHS: Final = "key versions"


class Period(Struct, frozen=True):
    """Hours since the epoch: a month from `begin`, and its part from `first` to before `last`.

    Keys are charged before the hour `charged_before`: the month may not be over.
    """

    begin: int
    end: int
    first: int
    last: int
    charged_before: int

    @property
    def hours(self) -> int:
        return self.end - self.begin

    @property
    def month(self) -> str:
        """The month, like `2026-11`."""
        return month_of(self.begin * HOUR_SECONDS)


class BillLine(Struct, frozen=True):
    """An item in a region: how much of it, how much of that is free, and what the rest costs."""

    item: str
    region: str
    unit: str
    quantity: Decimal
    free: Decimal
    price: Decimal
    amount: Decimal


class Bill(Struct, frozen=True):
    """Lines to a millionth, and their sum to a cent."""

    account_id: str
    month: str
    price_list: str
    currency: str
    lines: tuple[BillLine, ...]

    @property
    def total(self) -> Decimal:
        exact = sum((line.amount for line in self.lines), Decimal(0))
        return exact.quantize(_CENT, ROUND_HALF_UP)


def month_of(at: float) -> str:
    """Return the month of a time (seconds since the epoch), like `2026-11`."""
    parts = gmtime(at)
    return f"{parts.tm_year:04}-{parts.tm_mon:02}"


def bill_of(
    account_id: str,
    prices: PriceList,
    period: Period,
    keys: Iterable[tuple[str, KeyLife]],
    requests: Mapping[tuple[str, str], int],
) -> Bill:
    """Return the bill: `keys` are with their regions, `requests` counts by region and class.

    The free requests are those of all regions together; they go to the regions in the order of
    their names.
    """
    lines = [*_key_lines(prices, period, keys), *_request_lines(prices, requests)]
    return Bill(account_id, period.month, prices.name, prices.currency, tuple(lines))


def _key_lines(
    prices: PriceList, period: Period, keys: Iterable[tuple[str, KeyLife]]
) -> Iterable[BillLine]:
    hours: Counter[str] = Counter()
    for region, life in keys:
        there = version_hours(life, period.first, period.charged_before)
        hours[region] += prices.charged_hours(there)
    price = prices.key_version_month
    for region in sorted(hours):
        months = Decimal(hours[region]) / period.hours
        if months:
            amount = _rounded(months * price)
            yield BillLine(
                KEY_MONTHS, region, "months", _rounded(months), Decimal(0), price, amount
            )


def _request_lines(
    prices: PriceList, requests: Mapping[tuple[str, str], int]
) -> Iterable[BillLine]:
    counts: Counter[tuple[str, str]] = Counter()
    for (region, kind), count in requests.items():
        counts[kind if kind in prices.requests else STANDARD, region] += count
    left = prices.free_requests_month
    for kind in CLASSES:
        for region in sorted(region for one, region in counts if one == kind):
            priced, count = prices.requests[kind], counts[kind, region]
            free = min(left, count) if priced.is_in_free_tier else 0
            left -= free
            price = priced.price_in(region)
            yield BillLine(
                f"requests, {kind.replace('_', ' ')}",
                region,
                "10,000 requests",
                Decimal(count) / _PER,
                Decimal(free) / _PER,
                price,
                _rounded(Decimal(count - free) / _PER * price),
            )


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(_PARTS, ROUND_HALF_UP)
