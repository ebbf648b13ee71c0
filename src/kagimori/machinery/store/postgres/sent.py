"""Results of statements that were sent together: each is waited for once it is needed."""

from collections.abc import Iterator
from typing import Any

import psycopg

from kagimori.machinery.store.postgres.link import Link


class Sent:
    """A cursor whose result may not have come yet."""

    __slots__ = ("_cursor", "_link")

    def __init__(self, link: Link, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._link, self._cursor = link, cursor

    @property
    def rowcount(self) -> int:
        self._link.wait_for(self._cursor)
        return self._cursor.rowcount

    def fetchone(self) -> Any:
        self._link.wait_for(self._cursor)
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        self._link.wait_for(self._cursor)
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class ReadAhead:
    """A statement that was sent before it was asked for; its one row is there for all who ask."""

    __slots__ = ("_row", "_sent")

    def __init__(self, sent: Sent) -> None:
        self._sent: Sent | None = sent
        self._row: Any = None

    def fetchone(self) -> Any:
        if self._sent is not None:
            self._row, self._sent = self._sent.fetchone(), None
        return self._row
