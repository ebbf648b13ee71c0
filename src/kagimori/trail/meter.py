"""The meter: how many requests of which kind there were in each hour, and how keys changed.

It follows the journals. What it counts of some lines, and the place after them, are in one
transaction, so a count is exact however it ends. Unlike the index it is kept when journals are
retired: a month that was counted stays. One thread writes it; workers read.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from kagimori.rules.metering.key_lives import (
    CANCELLED,
    MADE,
    SCHEDULED,
    KeyChange,
    change_of,
)
from kagimori.rules.metering.older_keys import OF_STORE
from kagimori.rules.metering.request_kinds import UNREADABLE, RequestKind, alike, kind_of
from kagimori.rules.records.entry import Entry
from kagimori.trail.source import Source
from kagimori.trail.tail import EVERYTHING, Lines, Place, StreamTail

METER_NAME: Final = "usage.db"
MeterUnusable: Final = sqlite3.Error
_FORMAT: Final = 1
_SCHEMA: Final = f"""
BEGIN;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE positions (
    stream TEXT PRIMARY KEY, file TEXT NOT NULL, offset INTEGER NOT NULL,
    sequence INTEGER NOT NULL, line_hash TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE requests (
    hour INTEGER NOT NULL, account_id TEXT NOT NULL, region TEXT NOT NULL, service TEXT NOT NULL,
    operation TEXT NOT NULL, key_arn TEXT NOT NULL, other_key_arn TEXT NOT NULL,
    principal TEXT NOT NULL, error_code TEXT NOT NULL, pair_spec TEXT NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (hour, account_id, region, service, operation, key_arn, other_key_arn, principal,
        error_code, pair_spec)
) WITHOUT ROWID;
CREATE TABLE key_changes (
    account_id TEXT NOT NULL, key_id TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL,
    identity TEXT NOT NULL, at INTEGER NOT NULL, key_spec TEXT NOT NULL, key_manager TEXT NOT NULL,
    PRIMARY KEY (account_id, key_id, region, kind, identity)
) WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};
COMMIT;
"""
_COUNT: Final = (
    f"INSERT INTO requests VALUES ({', '.join('?' * (len(RequestKind._fields) + 1))}) "  # noqa: S608
    f"ON CONFLICT ({', '.join(RequestKind._fields)}) "
    "DO UPDATE SET requests = requests + excluded.requests"
)
_CHANGE: Final = "INSERT OR IGNORE INTO key_changes VALUES (?,?,?,?,?,?,?,?)"
# Of a kind of change: which records make it true, and which take it back.
_BALANCES: Final = {MADE: (MADE, ""), SCHEDULED: (SCHEDULED, CANCELLED)}
_BALANCE: Final = (
    "SELECT coalesce(sum(CASE kind WHEN ? THEN 1 WHEN ? THEN -1 ELSE 0 END), 0) > 0 "
    "FROM key_changes WHERE account_id = ? AND key_id = ? AND region = ?"
)


class Meter:
    """The writing side. Belongs to one thread."""

    def __init__(self, audit: Path, source: Source | None = None) -> None:
        """Open the meter, or begin one.

        Raises:
            MeterUnusable: it is there and cannot be used.
        """
        self._source = source or Source(audit)
        self._path = audit / METER_NAME
        self._connection = self._open()
        with contextlib.ExitStack() as unless_opened:
            unless_opened.callback(self._connection.close)
            self._inode = self._path.stat().st_ino
            unless_opened.pop_all()
        self._tails: dict[str, StreamTail] = {}

    @property
    def is_in_place(self) -> bool:
        """Return whether the file still is the one we write to; somebody may have removed it."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def follow(self, folder: Path, up_to: int = EVERYTHING) -> int:
        """Count new records of a stream; return their number.

        Raises:
            TrailBroken: the journal does not go on from where we were.
            OSError, MeterUnusable: it cannot be read or written.
        """
        tail = self._tails.get(folder.name)
        if tail is None:
            tail = self._tails[folder.name] = self._source.tail(folder, self._place_of(folder.name))
        count = 0
        if tail.place.sequence >= up_to:
            return count
        for lines in tail.read(up_to):
            self._add(folder.name, lines, tail.place)
            count += len(lines.lines)
        return count

    @property
    def knows_older_keys(self) -> bool:
        """Return whether keys were taken in of whose making no record is kept."""
        row = self._connection.execute("SELECT 1 FROM facts WHERE name = 'older_keys'").fetchone()
        return row is not None

    def add_older_keys(self, changes: Iterable[KeyChange]) -> None:
        """Take in keys as the store has them; changes that records have shown stay."""
        execute = self._connection.execute
        execute("BEGIN")
        try:
            for change in changes:
                if not self._is_known(change):
                    execute(_CHANGE, _row_of(change))
            execute("INSERT INTO facts VALUES ('older_keys', 'known')")
            execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def close(self) -> None:
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=5
        )
        self._path.chmod(0o600)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # After a power cut the newest counts may be gone, with their places: counted again.
            connection.execute("PRAGMA synchronous = NORMAL")
            form = connection.execute("PRAGMA user_version").fetchone()[0]
            if form == 0:
                connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        if form not in (0, _FORMAT):
            connection.close()
            raise sqlite3.DatabaseError(f"{METER_NAME} is of another version: {form}")
        return connection

    def _place_of(self, stream: str) -> Place:
        row = self._connection.execute(
            "SELECT file, offset, sequence, line_hash FROM positions WHERE stream = ?", (stream,)
        ).fetchone()
        return Place() if row is None else Place(*row)

    def _add(self, stream: str, lines: Lines, place: Place) -> None:
        """Add the counts of some lines, and the place after them, in one transaction."""
        counts = _counts_of(lines)
        changes = [
            change
            for one in lines.decoded
            if one.entry is not None and (change := change_of(one.entry, one.record)) is not None
        ]
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for kind, count in counts.items():
                execute(_COUNT, (*kind, count))
            for change in changes:
                self._change(change)
            execute(
                "INSERT OR REPLACE INTO positions VALUES (?,?,?,?,?)",
                (stream, place.file, place.offset, place.sequence, place.line_hash),
            )
            execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _change(self, change: KeyChange) -> None:
        if change.kind == SCHEDULED:  # the record of what the store may have shown
            self._connection.execute(
                "DELETE FROM key_changes WHERE account_id = ? AND key_id = ? AND region = ? "
                "AND kind = ? AND identity = ? AND at = ?",
                (*_key_of(change), SCHEDULED, OF_STORE, change.at),
            )
        self._connection.execute(_CHANGE, _row_of(change))

    def _is_known(self, change: KeyChange) -> bool:
        """Return whether records have shown a change that the store shows."""
        if change.kind not in _BALANCES:
            return False
        made = self._connection.execute(_BALANCE, (*_BALANCES[change.kind], *_key_of(change)))
        return bool(made.fetchone()[0])

    def _roll_back(self) -> None:
        self._tails.clear()  # they are further than what is kept
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _counts_of(lines: Lines) -> Counter[RequestKind]:
    """Return how many requests of each kind some lines record."""
    unreadable = 0
    like: dict[tuple[object, ...], list[Entry]] = {}
    for one in lines.decoded:
        entry = one.entry
        if entry is None:
            unreadable += 1
            continue
        name = alike(entry)
        known = like.get(name)
        if known is None:
            like[name] = [entry]
        else:
            known.append(entry)
    counts: Counter[RequestKind] = Counter()
    for entries in like.values():
        kind = kind_of(entries[0])
        if kind is not None:
            counts[kind] += len(entries)
    if unreadable:
        counts[UNREADABLE] = counts[UNREADABLE] + unreadable
    return counts


def counted_up_to(audit: Path) -> dict[str, int]:
    """Return up to which record each stream was counted.

    Raises:
        OSError: the meter cannot be read.
    """
    path = audit / METER_NAME
    if not path.exists():
        return {}
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        with contextlib.closing(connection):
            return dict(connection.execute("SELECT stream, sequence FROM positions"))
    except sqlite3.Error as problem:
        raise OSError(f"{METER_NAME} cannot be read: {problem}") from None


def _key_of(change: KeyChange) -> tuple[str, str, str]:
    return change.account_id, change.key_id, change.region


def _row_of(change: KeyChange) -> tuple[Any, ...]:
    return (
        *(change.account_id, change.key_id, change.region, change.kind, change.identity),
        *(change.at, change.key_spec, change.key_manager),
    )
