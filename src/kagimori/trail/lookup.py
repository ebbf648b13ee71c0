"""Finds events for look-ups: where they lie by the index, what they are from the journals."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kagimori.machinery.store.thread import WorkerThread
from kagimori.pending import Pending
from kagimori.ports import Absent
from kagimori.rules.chain.chain import read_line
from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.facets import facets_of, is_asked_for
from kagimori.rules.records.lookup import EventQuery, FoundEvent
from kagimori.rules.records.times import epoch_of
from kagimori.trail.index import HOUR_SECONDS, ID_BYTES, INDEX_NAME, facet_hash
from kagimori.trail.reader import PUBLIC_KEY_NAME

LINES_MAX: Final = 1 << 20  # in a block, far more than there can be


class AuditLookup:
    """The trail as operations see it. Made and used on the loop; reads on a thread."""

    def __init__(self, audit: Path) -> None:
        self._finder = EventFinder(audit)
        self._thread = WorkerThread("audit-lookup")
        self._results: dict[str, Any] = {}

    def events(self, request_id: str, query: EventQuery) -> list[FoundEvent]:
        """Return what was found for this request, one more than asked for if there is more.

        Raises:
            Absent: not looked for yet.
        """
        if request_id not in self._results:
            raise Absent(lambda: self._load(request_id, lambda: self._finder.find(query)))
        found: list[FoundEvent] = self._results.pop(request_id)
        return found

    def public_key(self, request_id: str) -> bytes | None:
        """Return the audit key's public half (PEM), None if it was not made yet.

        Raises:
            Absent: not looked for yet.
        """
        if request_id not in self._results:
            raise Absent(lambda: self._load(request_id, self._finder.public_key))
        found: bytes | None = self._results.pop(request_id)
        return found

    def close(self) -> None:
        self._thread.close()

    def _load(self, request_id: str, look: Callable[[], Any]) -> Pending[None]:
        done: Pending[None] = Pending()
        job = self._thread.call(look)

        def take() -> None:
            try:
                found = job.result()
            except Exception as failure:  # noqa: BLE001 - whoever waits must hear of it
                done.fail(failure)
                return
            self._results[request_id] = found
            done.settle(None)

        job.then(take)
        return done


class EventFinder:
    """Reads index and journals; every method blocks, and belongs on one thread."""

    def __init__(self, audit: Path) -> None:
        self._audit = audit
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def find(self, query: EventQuery) -> list[FoundEvent]:
        """Return up to `limit + 1` events; none where there is no index (yet).

        Raises:
            OSError, sqlite3.Error: it cannot be read.
        """
        connection = self._current()
        if connection is None:
            return []
        found: list[FoundEvent] = []  # some of them older than blocks that are still to come
        for number, file, offset, length, newest in _blocks(connection, query):
            before = sum(event.spot[0] > newest for event in found)
            if before > query.limit:
                break
            found += self._events(query, number, (file, offset, length))
        found.sort(key=lambda event: event.spot, reverse=True)
        return found[: query.limit + 1]

    def public_key(self) -> bytes | None:
        """Return what lies beside the trail to verify its digests with.

        Raises:
            OSError: it cannot be read.
        """
        try:
            return (self._audit / PUBLIC_KEY_NAME).read_bytes()
        except FileNotFoundError:
            return None

    def _events(
        self, query: EventQuery, number: int, spot: tuple[str, int, int]
    ) -> Iterator[FoundEvent]:
        """Yield what a block holds of what was asked for."""
        file, offset, length = spot
        try:
            with (self._audit / file).open("rb", buffering=0) as journal:
                journal.seek(offset)
                content = journal.read(length)
        except FileNotFoundError:
            return  # retired since
        needle = _needle(query)
        for position, line in enumerate(content.split(b"\n")):
            if not line or needle not in line:
                continue
            match = self._match(query, line)
            if match is None:
                continue
            at, record, owner = match
            here = (at, number * LINES_MAX + position)
            if query.after is None or here < query.after:
                yield FoundEvent(here, record, owner)

    @staticmethod
    def _match(query: EventQuery, line: bytes) -> tuple[int, bytes, str | None] | None:
        try:
            record = read_line(line)[2]
            entry = decode_entry(record)
            at = epoch_of(entry.event_time)
        except ValueError:
            return None
        if not is_asked_for(entry, at, query):
            return None
        is_own = entry.recipient_account_id == query.account_id
        return at, record, None if is_own else query.account_id

    def _current(self) -> sqlite3.Connection | None:
        """Return a connection to the index that is there now; it may have been made anew."""
        path = self._audit / INDEX_NAME
        try:
            inode = path.stat().st_ino
        except FileNotFoundError:
            return None
        if self._connection is None or inode != self._inode:
            if self._connection is not None:
                self._connection.close()
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=2)
            self._inode = inode
        return self._connection


def _blocks(connection: sqlite3.Connection, query: EventQuery) -> Iterator[tuple[Any, ...]]:
    """Yield id, file, offset, length and newest time of blocks to look at, newest first."""
    name, value = query.attribute or ("", "")
    hashes = [facet_hash(facet) for facet in facets_of(query)]
    end = query.end if query.after is None else min(query.end, query.after[0])
    column, needles = "facets", hashes
    if name == "EventId":
        try:
            column, needles = "ids", [bytes.fromhex(value[: 2 * ID_BYTES])]
        except ValueError:
            return
    holds = " OR ".join([f"instr({column}, ?) > 0"] * len(needles))
    text = (
        "SELECT id, file, offset, length, newest FROM blocks WHERE newest >= ? AND newest < ? "  # noqa: S608 - one of two columns
        f"AND oldest <= ? AND ({holds}) ORDER BY newest DESC, id DESC"
    )
    try:
        hours = connection.execute(
            "SELECT DISTINCT hour FROM facets WHERE facet IN (?, ?) AND hour >= ? "
            "ORDER BY hour DESC",
            (hashes[0], hashes[-1], query.start // HOUR_SECONDS),
        )
        for (hour,) in hours:
            begins = max(query.start, hour * HOUR_SECONDS)
            yield from connection.execute(text, (begins, (hour + 1) * HOUR_SECONDS, end, *needles))
    except sqlite3.OperationalError as problem:
        if "no such table" not in str(problem):
            raise  # else it is just being made


def _needle(query: EventQuery) -> bytes:
    """Return what is in every line that can match, as it is written there."""
    name, value = query.attribute or ("", "")
    if name == "ReadOnly":
        return b'"readOnly":' + value.encode()
    if name == "EventId" or not value.isascii() or json.dumps(value) != f'"{value}"':
        return b""
    return b"" if value == "root" else value.encode()
