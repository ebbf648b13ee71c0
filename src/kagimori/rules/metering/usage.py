"""A question about usage and its answer: requests of a month by name, key-months, and bills."""

import re
from calendar import timegm
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from kagimori.rules.metering.bill import Bill, Period, month_of
from kagimori.rules.metering.request_kinds import HOUR_SECONDS

OPERATION, KEY, PRINCIPAL = "OPERATION", "KEY", "PRINCIPAL"
GROUPS: Final = (OPERATION, KEY, PRINCIPAL)
_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
_YEAR_MIN: Final = 1970
_DECEMBER: Final = 12
# Account, region, service and name of an entry: in this order they are listed.
EntryKey = tuple[str, str, str, str]


class NoMonth(Exception):
    """A text that is no month."""


class UsageQuery(Struct, frozen=True):
    """Entries of a month after one, and bills. `account_id` is whose; None is everybody's."""

    account_id: str | None
    period: Period
    group: str
    after: EntryKey | None
    limit: int
    with_bills: bool


class UsageEntry(Struct, frozen=True):
    """Requests of an account by one name, and of a key that it owns the hours of each version."""

    account_id: str
    region: str
    service: str
    name: str
    requests: int
    billed: int
    version_hours: tuple[int, ...] = ()

    @property
    def key(self) -> EntryKey:
        return self.account_id, self.region, self.service, self.name


class UsagePage(Struct, frozen=True):
    """Entries in order; `following` is after which the next page begins, if there is one."""

    entries: tuple[UsageEntry, ...]
    following: EntryKey | None = None
    bills: tuple[Bill, ...] = ()


def period_of(month: str, now: float) -> Period:
    """Return the hours of a month; one that is not over is charged up to and with this hour.

    Raises:
        NoMonth: it is none.
    """
    found = _MONTH.fullmatch(month)
    if found is None or int(found[1]) < _YEAR_MIN:
        raise NoMonth(month)
    year, number = int(found[1]), int(found[2])
    after = (year + 1, 1) if number == _DECEMBER else (year, number + 1)
    begin, end = _hour_of(year, number), _hour_of(*after)
    so_far = int(now) // HOUR_SECONDS + 1
    return Period(begin, end, begin, end, max(begin, min(end, so_far)))


def periods_between(since: float, until: float) -> Iterator[Period]:
    """Yield the parts of months between two times, by hours; one that has begun counts whole."""
    first, last = int(since) // HOUR_SECONDS, -(-int(until) // HOUR_SECONDS)
    while first < last:
        month = period_of(month_of(first * HOUR_SECONDS), until)
        end = min(last, month.end)
        yield Period(month.begin, month.end, first, end, end)
        first = end


def _hour_of(year: int, month: int) -> int:
    return timegm((year, month, 1, 0, 0, 0)) // HOUR_SECONDS
