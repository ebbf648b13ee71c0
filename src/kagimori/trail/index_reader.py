"""The reading side of the audit index: which blocks of the journals can hold an event.

The file may be removed and made anew at any time; whoever reads sees the one that is there now.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kagimori.rules.records.facets import facets_of
from kagimori.rules.records.lookup import EventQuery
from kagimori.trail.index import HOUR_SECONDS, ID_BYTES, INDEX_NAME, facet_hash


class IndexReader:
    """A reading connection. Belongs to one thread; every method blocks."""

    def __init__(self, audit: Path) -> None:
        self._audit = audit
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def blocks(self, query: EventQuery) -> Iterator[tuple[Any, ...]]:
        """Yield id, file, offset, length and newest time of blocks to look at, newest first.

        Nothing where there is no index (yet).

        Raises:
            IndexUnusable: it cannot be read.
        """
        connection = self._current()
        if connection is not None:
            yield from _blocks(connection, query)

    def close(self) -> None:
        """Let go of the file; the next look opens what is there then."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _current(self) -> sqlite3.Connection | None:
        """Return a connection to the index that is there now; it may have been made anew."""
        path = self._audit / INDEX_NAME
        try:
            inode = path.stat().st_ino
        except FileNotFoundError:
            return None
        if self._connection is None or inode != self._inode:
            self.close()
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=2)
            # Workers may write nothing aside (server/confinement.py).
            self._connection.execute("PRAGMA temp_store = MEMORY")
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
