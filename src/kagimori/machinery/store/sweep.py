"""Looks through a whole store for what somebody else has altered, a few rows at a time.

What a request loads is checked when it is loaded. This finds what nobody asks for: rows that are
gone, rows that were added, and columns by which rows are found that do not say what the row says.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from kagimori.machinery.store.guard import SPACES, WRITERS, Execute, Guard, as_bytes, key_in
from kagimori.machinery.store.sql import Statements
from kagimori.ports import Key, Table
from kagimori.rules.integrity.altered import Altered, Problem
from kagimori.rules.integrity.buckets import Place, StoredBucket, open_bucket
from kagimori.rules.integrity.marks import name_of

ROWS_AT_ONCE: Final = 100
BUCKETS_AT_ONCE: Final = 50
_COLUMNS_ATTEMPTS: Final = 3  # of comparing what is changed meanwhile
_BUCKETS: Final = (
    "SELECT bucket, version, content, seal FROM integrity WHERE space = ? AND bucket > ? "
    "ORDER BY bucket LIMIT ?"
)
_key_of: Final = msgspec.json.Decoder(tuple[str, ...]).decode

Findings = list[Altered]


def sweep(guard: Guard, execute: Execute, tables: Mapping[str, Statements]) -> Iterator[Findings]:
    """Yield findings, step by step; a step takes some milliseconds."""
    for space in (SPACES, WRITERS):
        for _, findings in _buckets(guard, execute, space):
            yield findings
    for statements in tables.values():
        table = statements.table
        if table.unguarded:
            continue
        for names, findings in _buckets(guard, execute, table.name):
            looks = [_look_at(guard, execute, statements, _key_of(name)) for name in names]
            yield [*findings, *(finding for look in looks for finding in look)]
        yield from _unmarked(guard, execute, statements)
        for group in table.guarded_groups:
            for _, findings in _buckets(guard, execute, f"{table.name}/{group}"):
                yield findings


def _buckets(guard: Guard, execute: Execute, space: str) -> Iterator[tuple[list[str], Findings]]:
    """Yield the names in some buckets of a space at a time, and the buckets that do not hold."""
    lost = dict(guard.witness.of_space(space))  # before reading
    after = -1
    while True:
        stored = execute(_BUCKETS, (space, after, BUCKETS_AT_ONCE)).fetchall()
        names: list[str] = []
        findings: Findings = []
        for number, version, content, seal in stored:
            place, about = Place(space, number), (space, (f"bucket {number}",))
            seen = lost.pop(number, 0)
            kept = StoredBucket(version, as_bytes(content), as_bytes(seal))
            try:
                names += open_bucket(guard.key, place, kept, seen, about).entries
            except Altered as altered:
                findings.append(altered)
        yield names, findings
        if len(stored) < BUCKETS_AT_ONCE:
            break
        after = stored[-1][0]
    gone = [Altered(space, (f"bucket {number}",), Problem.UNMARKED) for number in lost]
    if gone:
        yield [], gone


def _look_at(guard: Guard, execute: Execute, statements: Statements, key: Key) -> Findings:
    """Return the finding about one row, if it is not as it was written."""
    table = statements.table
    try:
        for _ in range(_COLUMNS_ATTEMPTS):
            entity = guard.one(table, key)
            found = execute(statements.select_columns, key).fetchone()
            wanted = None if entity is None else statements.columns(entity)
            if (None if found is None else tuple(found)) == wanted:
                return []
    except Altered as altered:
        return [altered]
    return [Altered(table.name, key, Problem.CHANGED)]


def _unmarked(guard: Guard, execute: Execute, statements: Statements) -> Iterator[Findings]:
    """Yield the rows that were added, some rows at a time."""
    table, after = statements.table, None
    while True:
        text, parameters = statements.page((), after, ROWS_AT_ONCE, None)
        found: Sequence[Any] = execute(text, parameters).fetchall()
        findings: Findings = []
        for row in found:
            findings += _unmarked_row(guard, table, key_in(table, row))
        yield findings
        if len(found) < ROWS_AT_ONCE:
            return
        after = tuple(found[-1][: len(table.key)])


def _unmarked_row(guard: Guard, table: Table, key: Key) -> Findings:
    try:
        if not guard.has_entry(table.name, key, name_of(key)):
            guard.one(table, key)
    except Altered as altered:
        return [altered]
    return []
