"""The standing of an authenticated store: whether it is one, is whole, and is no older one.

A space is in use once its name stands in the bucket of its name. A store that a version without
marks has made has none: its rows are marked once, with the record of that, when the deployment gets
its integrity key. A newer version may bring further spaces; their rows are held to the marks that
there are. Nothing is ever marked anew otherwise: a lost mark is an alteration.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kagimori.machinery.store.guard import (
    FACTS,
    SPACES,
    STORE_BUCKET,
    WRITERS,
    Execute,
    Guard,
    groups_of,
    key_in,
    spaces_of,
)
from kagimori.machinery.store.sql import Statements
from kagimori.ports import Table
from kagimori.rules.integrity.altered import Altered, Problem
from kagimori.rules.integrity.buckets import (
    Bucket,
    Place,
    Tally,
    check_row,
    close_bucket,
    open_bucket,
    tally_entry,
)
from kagimori.rules.integrity.ledger import Row
from kagimori.rules.integrity.marks import name_of

ROWS_AT_ONCE: Final = 1000
# Facts that decide nothing: streams that are not registered are an alarm of their own, `signs` only
# asks for more, and the timer's lease is the business of the nodes. A start without the HSM's key
# writes them.
UNGUARDED_FACTS: Final = frozenset({"streams", "signs", "timer"})
IS_MARKED: Final = "SELECT 1 FROM integrity LIMIT 1"
_ABOUT: Final = ("the store", ())


def check_standing(guard: Guard, tables: Sequence[Table], facts: Mapping[str, Any]) -> list[str]:
    """Return the spaces that are not in use yet, of a store that is no older than it was.

    Raises:
        Altered: it is older, or a fact of the deployment is not as it was written.
    """
    for bucket, seen in guard.witness.of_space(WRITERS):
        place = Place(WRITERS, bucket)
        open_bucket(guard.key, place, guard.stored_bucket(place), seen, _ABOUT)
    missing = [space for space in spaces_of(tables) if not guard.has(SPACES, space)]
    if FACTS not in missing:
        guard.facts(guarded(facts))
    return missing


def guarded(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that decide."""
    return {name: value for name, value in facts.items() if name not in UNGUARDED_FACTS}


def mark_all(
    guard: Guard,
    execute: Execute,
    tables: Mapping[str, Statements],
    missing: Sequence[str],
    facts: Mapping[str, Any],
) -> None:
    """Mark the rows of spaces that are not in use yet, within a transaction.

    Raises:
        Altered: a row that is marked in another space is not as it was written.
    """
    for statements in tables.values():
        table = statements.table
        groups = [group for group in table.guarded_groups if f"{table.name}/{group}" in missing]
        if not table.unguarded and (groups or table.name in missing):
            _mark_table(guard, execute, statements, groups, is_new=table.name in missing)
    if FACTS in missing:
        for name, value in guarded(facts).items():
            guard.ledger.replace(FACTS, (name,), None, Row(guard.fact_mark(name, value), {}))
    for space in missing:
        guard.ledger.touch(SPACES, space)


def _mark_table(
    guard: Guard, execute: Execute, statements: Statements, groups: Sequence[str], *, is_new: bool
) -> None:
    table, key = statements.table, guard.key
    entries: dict[Place, dict[str, bytes]] = {}
    tallies: dict[tuple[str, str], Tally] = {}
    for row in all_rows(execute, statements):
        values, mark = key_in(table, row), guard.mark(table, key_in(table, row), row[-2:])
        name = name_of(values)
        place = Place(table.name, key.bucket_of(table.name, name))
        if is_new:
            entries.setdefault(place, {})[name] = mark.tag
        else:
            about, seen = (table.name, values), guard.witness.seen(place)
            bucket = open_bucket(key, place, guard.stored_bucket(place), seen, about)
            check_row(bucket, name, mark, about)
        for group, of in groups_of(table, statements.decode(row[-1])).items():
            if group in groups:
                at = (f"{table.name}/{group}", name_of(of))
                tallies[at] = tallies.get(at, Tally()).with_row(mark, 1)
    for (space, name), tally in tallies.items():
        place = Place(space, key.bucket_of(space, name))
        nonce = _next_version(guard, place)
        entries.setdefault(place, {})[name] = tally_entry(key, space, name, nonce, tally)
    for place, found in entries.items():
        bucket = Bucket(_next_version(guard, place), found)
        execute(STORE_BUCKET, (*place, *close_bucket(key, place, bucket)))


def all_rows(execute: Execute, statements: Statements) -> Iterator[Sequence[Any]]:
    """Yield every row of a table whole, in key order; others may be written meanwhile."""
    after = None
    while True:
        text, parameters = statements.page((), after, ROWS_AT_ONCE, None)
        found = execute(text, parameters).fetchall()
        yield from found
        if len(found) < ROWS_AT_ONCE:
            return
        after = tuple(found[-1][: len(statements.table.key)])


def _next_version(guard: Guard, place: Place) -> int:
    stored = guard.stored_bucket(place)
    return 1 + max(guard.witness.seen(place), 0 if stored is None else stored.version)


def altered_store() -> Altered:
    """Return the finding that a store has lost its marks."""
    return Altered(*_ABOUT, Problem.UNMARKED)
