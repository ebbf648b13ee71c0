"""Finds events for look-ups: where they lie by the index, what they are from the journals."""

import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from kagimori.machinery.audit_index import INDEX_NAME
from kagimori.machinery.store.thread import WorkerThread
from kagimori.pending import Pending
from kagimori.ports import Absent
from kagimori.rules.audit.copies import owners_event_id
from kagimori.rules.audit.entry import decode_entry
from kagimori.rules.audit.lookup import EventQuery, FoundEvent

LINE_HEAD_BYTES_MAX: Final = 200
RESULTS_WAITING_MAX: Final = 1000
_COLUMNS: Final = "e.at, e.id, e.copied, e.event_id, f.text, e.offset, e.length"
_BY_WORD: Final = {
    "EventName": "e.name = ?",
    "Username": "e.user = ?",
    "AccessKeyId": "e.access_key = ?",
    "EventSource": "e.source = ?",
    "ResourceType": "e.resource_type = ?",
}
_BY_FLAG: Final = {"true": "e.read_only = 1", "false": "e.read_only = 0"}


class AuditLookup:
    """The trail as operations see it. Made and used on the loop; reads on a thread."""

    def __init__(self, audit: Path) -> None:
        self._finder = EventFinder(audit)
        self._thread = WorkerThread("audit-lookup")
        self._results: dict[str, list[FoundEvent]] = {}

    def events(self, request_id: str, query: EventQuery) -> list[FoundEvent]:
        """Return what was found for this request, one more than asked for if there is more.

        Raises:
            Absent: not looked for yet.
        """
        found = self._results.pop(request_id, None)
        if found is None:
            raise Absent(lambda: self._load(request_id, query))
        return found

    def close(self) -> None:
        self._thread.close()

    def _load(self, request_id: str, query: EventQuery) -> Pending[None]:
        done: Pending[None] = Pending()
        job = self._thread.call(lambda: self._finder.find(query))

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
        scope = _word(connection, f"{query.account_id}/{query.region}")
        if scope is None:
            return []
        text, parameters = _statement(connection, query, scope)
        rows = connection.execute(text, parameters).fetchall() if text else []
        found = []
        for at, number, copied, event_id, file, offset, length in rows:
            owner = query.account_id if copied else None
            record = self._record((file, offset, length), event_id, owner)
            if record is not None:
                found.append(FoundEvent((at, number), record, owner))
        return found

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

    def _record(
        self, spot: tuple[str, int, int], event_id: str, owner: str | None
    ) -> bytes | None:
        """Return a record from its journal; None if it is not there any more."""
        file, offset, length = spot
        try:
            descriptor = os.open(self._audit / file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            line = os.pread(descriptor, LINE_HEAD_BYTES_MAX + length, offset)
        finally:
            os.close(descriptor)
        start = line.find(b'"record":') + len(b'"record":')
        record = line[start : start + length]
        try:
            entry = decode_entry(record)
        except ValueError:
            return None
        found = entry.event_id if owner is None else owners_event_id(entry.event_id, owner)
        return record if event_id == found else None


def _statement(
    connection: sqlite3.Connection, query: EventQuery, scope: int
) -> tuple[str, list[Any]]:
    """Return the SQL of a look-up; empty when nothing can match."""
    where, parameters = ["e.scope = ?", "e.at >= ?", "e.at <= ?"], [scope, query.start, query.end]
    tables, order = "events e", "e.at DESC, e.id DESC"
    name, value = query.attribute or ("", "")
    if name == "EventId":
        where.append("e.event_id = ?")
        parameters.append(value)  # type: ignore[arg-type] # parameters are of any type
    elif name == "ReadOnly":
        where.append(_BY_FLAG[value])
    elif name == "ResourceName":
        ids = _resources(connection, value)
        if not ids:
            return "", []
        tables = "resources r CROSS JOIN events e ON e.id = r.event"
        marks = ",".join("?" * len(ids))
        where = [f"r.resource IN ({marks})", "r.scope = ?", "r.at >= ?", "r.at <= ?"]
        parameters = [*ids, scope, query.start, query.end]
        order = "r.at DESC, r.event DESC"
    elif name:
        word = _word(connection, value)
        if word is None:
            return "", []
        where.append(_BY_WORD[name])
        parameters.append(word)
    if query.after is not None:
        at, number = ("r.at", "r.event") if name == "ResourceName" else ("e.at", "e.id")
        where.append(f"({at}, {number}) < (?, ?)")
        parameters += query.after
    conditions = " AND ".join(where)
    return (
        f"SELECT {_COLUMNS} FROM {tables} JOIN words f ON f.id = e.file "  # noqa: S608 - ours
        f"WHERE {conditions} ORDER BY {order} LIMIT ?",
        [*parameters, query.limit + 1],
    )


def _word(connection: sqlite3.Connection, text: str) -> int | None:
    row = connection.execute("SELECT id FROM words WHERE text = ?", (text,)).fetchone()
    return None if row is None else int(row[0])


def _resources(connection: sqlite3.Connection, name: str) -> list[int]:
    """Return the resources that a name stands for: an ARN, or the last part of some."""
    rows = connection.execute(
        "SELECT id FROM words WHERE text = ? OR short = ? LIMIT 100", (name, name)
    )
    return [int(found) for (found,) in rows]
