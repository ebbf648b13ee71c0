"""Copies all rows of a store into an empty one, whichever engines they are of, and checks them.

One snapshot is read, and one transaction is written: what arrived is read back in it, and it is
committed only if every table has the same rows. The change feed is not copied: its readers begin
anew with another database.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import msgspec
from msgspec import Struct

from kagimori.machinery.store.database import Database
from kagimori.machinery.store.migrations import migrate

ROWS_AT_ONCE: Final = 500
_LEFT_OUT: Final = ("changes", "feeds")


class Shape(Struct, frozen=True):
    """A table of the schema: its columns, and those of its key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


class CopiedTable(Struct, frozen=True):
    """A table that was copied: its rows, and a SHA-256 of them in the order of their key."""

    name: str
    rows: int
    sha256: str


class NotCopied(Exception):
    """A reason why nothing was copied, as one line for people."""


def shapes() -> list[Shape]:
    """Return the tables that are copied."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        found = []
        for (name,) in sorted(names):
            columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
            key = sorted((place, column) for _, column, *_, place in columns if place)
            found.append(
                Shape(name, tuple(one[1] for one in columns), tuple(column for _, column in key))
            )
    return [shape for shape in found if shape.name not in _LEFT_OUT]


def copy_rows(source: Database, target: Database) -> list[CopiedTable]:
    """Copy everything; the caller has `source` held still.

    Raises:
        NotCopied: the target is not empty, or did not keep what it was given; it is as it was.
    """
    tables = shapes()
    copied: list[CopiedTable] = []
    with target.transaction():
        for shape in tables:
            if target.run(f"SELECT 1 FROM {shape.name} LIMIT 1").fetchone() is not None:  # noqa: S608
                raise NotCopied(f"is not empty: there are rows in {shape.name}")
        for shape in tables:
            marks = ", ".join("?" * len(shape.columns))
            text = f"INSERT INTO {shape.name} ({', '.join(shape.columns)}) VALUES ({marks})"  # noqa: S608
            digest = _Digest(shape.name)
            for rows in _rows(source, shape):
                digest.add(rows)
                target.run_many(text, rows)
            copied.append(digest.done())
        for shape, wanted in zip(tables, copied, strict=True):
            digest = _Digest(shape.name)
            for rows in _rows(target, shape):
                digest.add(rows)
            if digest.done() != wanted:
                raise NotCopied(f"did not keep the rows of {shape.name} as they were")
    return copied


def _rows(database: Database, shape: Shape) -> Iterator[list[tuple[Any, ...]]]:
    """Yield all rows of a table, in the order of its key."""
    key, places = ", ".join(shape.key), [shape.columns.index(name) for name in shape.key]
    select = f"SELECT {', '.join(shape.columns)} FROM {shape.name}"  # noqa: S608
    marks = ", ".join("?" * len(shape.key))
    after: tuple[Any, ...] = ()
    while True:
        where = f" WHERE ({key}) > ({marks})" if after else ""
        text = f"{select}{where} ORDER BY {key} LIMIT ?"
        rows = database.run(text, (*after, ROWS_AT_ONCE)).fetchall()
        if rows:
            yield [_plain(shape, row) for row in rows]
            after = tuple(rows[-1][place] for place in places)
        if len(rows) < ROWS_AT_ONCE:
            return


def _plain(shape: Shape, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row whose facts are texts, as SQLite may have them in another form."""
    if shape.name == "deployment":
        return tuple(one.decode() if isinstance(one, bytes) else one for one in row)
    return row


class _Digest:
    """The digest of a table, row by row; each row has one form, which no other has."""

    def __init__(self, name: str) -> None:
        self._name, self._rows, self._hash = name, 0, hashlib.sha256()

    def add(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows += len(rows)
        for row in rows:
            self._hash.update(msgspec.msgpack.encode(row))

    def done(self) -> CopiedTable:
        return CopiedTable(self._name, self._rows, self._hash.hexdigest())
