"""Finds events for look-ups: where they lie by the index, what they are from the journals."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kagimori.deployment.folder import PUBLIC_KEY_NAME
from kagimori.machinery.store.thread import WorkerThread
from kagimori.pending import Pending
from kagimori.ports import Absent
from kagimori.rules.chain.chain import read_line
from kagimori.rules.chain.groups import unmarked
from kagimori.rules.records.copies import copy_in_other_region
from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.facets import is_asked_for
from kagimori.rules.records.lookup import EventQuery, FoundEvent
from kagimori.rules.records.times import epoch_of
from kagimori.trail.index import IndexUnusable
from kagimori.trail.index_reader import IndexReader

LINES_MAX: Final = 1 << 20  # in a block, far more than there can be
# An index that is just being made, or made anew, cannot be read for some milliseconds.
PAUSES_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8)


class AuditLookup:
    """The trail as operations see it. Made and used on the loop; reads on a thread."""

    def __init__(self, audit: Path) -> None:
        self._finder = EventFinder(audit)
        self._thread = WorkerThread("audit-lookup")
        self._results: dict[str, Any] = {}

    def events(self, request_id: str, query: EventQuery) -> list[FoundEvent]:
        """Return the events found for this request, one more than asked for if there is more.

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
        self._index = IndexReader(audit)

    def find(self, query: EventQuery) -> list[FoundEvent]:
        """Return up to `limit + 1` events; none where there is no index (yet).

        Raises:
            OSError, IndexUnusable: it cannot be read.
        """
        for pause in PAUSES_SECONDS:
            try:
                return self._find(query)
            except IndexUnusable:
                self._index.close()
                time.sleep(pause)
        return self._find(query)

    def _find(self, query: EventQuery) -> list[FoundEvent]:
        found: list[FoundEvent] = []  # some of them older than blocks that are still to come
        for number, file, offset, length, newest in self._index.blocks(query):
            before = sum(event.spot[0] > newest for event in found)
            if before > query.limit:
                break
            found += self._events(query, number, (file, offset, length))
        found.sort(key=lambda event: event.spot, reverse=True)
        return found[: query.limit + 1]

    def public_key(self) -> bytes | None:
        """Return the public key beside the trail, which verifies its digests.

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
        """Yield the events of a block that match a query."""
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
            record = unmarked(read_line(line)[2])
            entry = decode_entry(record)
            at = epoch_of(entry.event_time)
        except ValueError:
            return None
        if not is_asked_for(entry, at, query):
            if entry.other_region not in query.regions:
                return None
            record = copy_in_other_region(record, entry.other_region)
            entry = decode_entry(record)
            if not is_asked_for(entry, at, query):
                return None
        is_own = entry.recipient_account_id == query.account_id
        return at, record, None if is_own else query.account_id


def _needle(query: EventQuery) -> bytes:
    """Return the bytes that every matching line contains."""
    name, value = query.attribute or ("", "")
    if name == "ReadOnly":
        return b'"readOnly":' + value.encode()
    if name == "EventId" or not value.isascii() or json.dumps(value) != f'"{value}"':
        return b""
    if (name, value) == ("EventName", "CreateKey"):
        return b"teKey"  # a ReplicateKey is a CreateKey in the replica's region
    return b"" if value == "root" else value.encode()
