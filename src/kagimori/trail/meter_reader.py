"""The reading side of the meter: usage of a month by name, and the bills of accounts."""

import contextlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kagimori.deployment.folder import Unusable
from kagimori.rules.metering.bill import Bill, Period, bill_of
from kagimori.rules.metering.key_lives import (
    MADE,
    ROTATED,
    KeyChange,
    KeyLife,
    life_of,
    version_hours,
)
from kagimori.rules.metering.request_kinds import UNBILLED, class_of
from kagimori.rules.metering.usage import (
    KEY,
    OPERATION,
    PRINCIPAL,
    UsageEntry,
    UsagePage,
    UsageQuery,
)
from kagimori.rules.names import key_arn
from kagimori.trail.meter import METER_NAME
from kagimori.trail.price_lists import price_lists

_TEXTS: Final = {
    "BILLED": "service = 'kms' AND account_id <> '' AND error_code NOT IN "
    f"({', '.join(repr(code) for code in UNBILLED)})",
    "IN_PERIOD": "hour >= :begin AND hour < :end AND account_id BETWEEN :least AND :most",
}


def _filled(text: str) -> str:
    """Return a statement with the conditions that several of them have."""
    return text.format(**_TEXTS)


_BY_NAME: Final = """
    SELECT account_id, region, service, COLUMN AS name, requests,
        CASE WHEN {BILLED} THEN requests ELSE 0 END AS billed
    FROM requests WHERE {IN_PERIOD}
"""
_BY_KEY: Final = """
    {first} UNION ALL {other} AND other_key_arn <> ''
    UNION ALL SELECT account_id, region, 'kms', arn_of(account_id, region, key_id), 0, 0
    FROM key_changes WHERE kind = 'made' AND account_id BETWEEN :least AND :most
"""


def _by(column: str) -> str:
    return _filled(_BY_NAME.replace("COLUMN", column))


_NAMED: Final = {
    OPERATION: _by("operation"),
    PRINCIPAL: _by("principal"),
    KEY: _BY_KEY.format(first=_by("key_arn"), other=_by("other_key_arn")),
}
_PAGE: Final = """
    SELECT account_id, region, service, name, sum(requests), sum(billed) FROM ({named})
    WHERE (account_id, region, service, name) > (:a, :r, :s, :n) OR :first
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LIMIT :limit
"""
_PRICED: Final = _filled("""
    SELECT account_id, region, operation, key_arn, other_key_arn, pair_spec, sum(requests)
    FROM requests WHERE {IN_PERIOD} AND {BILLED} GROUP BY 1, 2, 3, 4, 5, 6
""")
_SPECS: Final = """
    SELECT account_id, key_id, key_spec FROM key_changes
    WHERE kind = 'made' AND key_spec <> 'SYMMETRIC_DEFAULT'
"""
_CHANGES: Final = """
    SELECT kind, account_id, region, key_id, at, identity FROM key_changes
    WHERE account_id BETWEEN :least AND :most ORDER BY account_id, key_id
"""
_CHANGES_OF_KEY: Final = """
    SELECT kind, account_id, region, key_id, at, identity FROM key_changes
    WHERE account_id = ? AND key_id = ?
"""


class MeterReader:
    """Reads one state of the meter. Belongs to one thread; every method blocks."""

    def __init__(self, audit: Path) -> None:
        """Open the meter.

        Raises:
            Unusable: there is none (yet), or it cannot be read.
        """
        path = audit / METER_NAME
        try:
            if not path.exists():
                raise Unusable("nothing was counted yet")
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=2)
            with contextlib.ExitStack() as unless_opened:
                unless_opened.callback(self._connection.close)
                # Workers may write nothing aside (server/confinement.py).
                self._connection.execute("PRAGMA temp_store = MEMORY")
                self._connection.create_function("arn_of", 3, key_arn, deterministic=True)
                self._connection.execute("BEGIN")
                unless_opened.pop_all()
        except sqlite3.Error as problem:
            raise Unusable(f"{METER_NAME} cannot be read: {problem}") from None

    def usage(self, query: UsageQuery) -> UsagePage:
        """Return a page of entries, and the bills if they are asked for.

        Raises:
            Unusable: it cannot be read.
        """
        try:
            entries, following = self._entries(query)
            bills = tuple(self.bills(query.account_id, query.period)) if query.with_bills else ()
        except sqlite3.Error as problem:
            raise Unusable(f"{METER_NAME} cannot be read: {problem}") from None
        return UsagePage(tuple(entries), following, bills)

    def bills(self, account_id: str | None, period: Period) -> Iterator[Bill]:
        """Yield the bills of an account, or of all, by each price list."""
        requests, keys = self._classes(account_id, period), self._lives(account_id)
        accounts = sorted({*requests, *keys}) if account_id is None else [account_id]
        for one in accounts:
            for prices in price_lists():
                yield bill_of(one, prices, period, keys.get(one, ()), requests.get(one, {}))

    def specs(self) -> dict[tuple[str, str], str]:
        """Return the specs of all keys but symmetric encryption keys, by account and id."""
        return {(one, key_id): spec for one, key_id, spec in self._connection.execute(_SPECS)}

    def close(self) -> None:
        self._connection.close()

    def _entries(self, query: UsageQuery) -> tuple[list[UsageEntry], Any]:
        after = query.after or ("", "", "", "")
        bounds = _bounds(query.account_id, query.period) | dict(zip("arsn", after, strict=True))
        rows = self._connection.execute(
            _PAGE.format(named=_NAMED[query.group]),
            bounds | {"first": query.after is None, "limit": query.limit + 1},
        ).fetchall()
        found = [UsageEntry(*row) for row in rows[: query.limit]]
        following = found[-1].key if len(rows) > query.limit else None
        if query.group == KEY:
            found = [self._with_hours(entry, query.period) for entry in found]
        return [one for one in found if one.requests or any(one.version_hours)], following

    def _with_hours(self, entry: UsageEntry, period: Period) -> UsageEntry:
        """Return an entry with the hours of its key, if that is the account's own."""
        parts = entry.name.split(":", 5)
        if len(parts) != 6 or parts[4] != entry.account_id:  # noqa: PLR2004 - an ARN's parts
            return entry
        key_id = parts[5].removeprefix("key/")
        rows = self._connection.execute(_CHANGES_OF_KEY, (entry.account_id, key_id))
        for region, life in _lives_of([KeyChange(*row) for row in rows]):
            if region == parts[3]:
                hours = version_hours(life, period.first, period.charged_before)
                return UsageEntry(*entry.key, entry.requests, entry.billed, tuple(hours))
        return entry

    def _classes(
        self, account_id: str | None, period: Period
    ) -> dict[str, Counter[tuple[str, str]]]:
        """Return the billed requests of each account, by region and class."""
        specs = self.specs()
        found: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        rows = self._connection.execute(_PRICED, _bounds(account_id, period))
        for account, region, operation, *arns, pair_spec, count in rows:
            of_keys = tuple(specs.get(owner_and_id(arn), "") for arn in arns if arn)
            found[account][region, class_of(operation, of_keys, pair_spec)] += count
        return found

    def _lives(self, account_id: str | None) -> dict[str, list[tuple[str, KeyLife]]]:
        """Return the lives of each account's keys, with their regions."""
        found: dict[str, list[tuple[str, KeyLife]]] = defaultdict(list)
        together: list[KeyChange] = []
        bounds = _bounds(account_id, Period(0, 0, 0, 0, 0))
        for row in self._connection.execute(_CHANGES, bounds):
            change = KeyChange(*row)
            if together and together[0].key_id != change.key_id:
                found[together[0].account_id] += _lives_of(together)
                together = []
            together.append(change)
        if together:
            found[together[0].account_id] += _lives_of(together)
        return found


def read_usage(audit: Path, query: UsageQuery) -> UsagePage:
    """Return a page of usage.

    Raises:
        Unusable: there is no meter, or it cannot be read.
    """
    with contextlib.closing(MeterReader(audit)) as reader:
        return reader.usage(query)


def _lives_of(changes: list[KeyChange]) -> Iterator[tuple[str, KeyLife]]:
    """Yield the regions and lives of the keys with one id: of all members of a set."""
    regions = {change.region for change in changes if change.kind == MADE}
    for region in sorted(regions):
        own = [one for one in changes if one.region == region or one.kind == ROTATED]
        first = own[0]
        life = life_of(key_arn(first.account_id, region, first.key_id), own)
        if life is not None:
            yield region, life


def _bounds(account_id: str | None, period: Period) -> dict[str, Any]:
    """Return the parameters that choose an account, or all, and a month."""
    least, most = ("", "~") if account_id is None else (account_id, account_id)
    return {"least": least, "most": most, "begin": period.first, "end": period.last}


def owner_and_id(arn: str) -> tuple[str, str]:
    """Return the account and the id of a key."""
    _, _, _, _, account_id, name = arn.split(":", 5)
    return account_id, name.removeprefix("key/")
