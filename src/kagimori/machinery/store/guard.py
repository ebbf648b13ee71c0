"""The guard of one connection: its rows are held to the buckets that list them.

Reading is not in a transaction: the bucket is read first, then the rows. If they do not fit and the
bucket has changed meanwhile, both are read again; else somebody has altered one of them. Writing
is: a row that is changed is checked before, and its buckets are written with it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from kagimori.machinery.store.sql import Statements
from kagimori.machinery.store.witness import Witness
from kagimori.ports import Key, Table
from kagimori.rules.integrity.altered import Altered, Problem
from kagimori.rules.integrity.buckets import (
    Bucket,
    Place,
    StoredBucket,
    check_group,
    check_row,
    open_bucket,
    rows_in,
    tally_of,
)
from kagimori.rules.integrity.ledger import Ledger, Row
from kagimori.rules.integrity.marks import IntegrityKey, Mark, name_of

FACTS: Final = "deployment"  # the space of the facts of the deployment
WRITERS: Final = "writers"  # the space in which each writer's bucket grows with all it writes
SPACES: Final = "spaces"  # the space of the names of spaces that are in use
ATTEMPTS_MAX: Final = 100  # of reading what others change all the time
_LOAD: Final = "SELECT version, content, seal FROM integrity WHERE space = ? AND bucket = ?"
STORE_BUCKET: Final = (
    "INSERT INTO integrity (space, bucket, version, content, seal) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (space, bucket) DO UPDATE "
    "SET version = excluded.version, content = excluded.content, seal = excluded.seal"
)

T = TypeVar("T")
Execute = Callable[[str, Sequence[Any]], Any]
# The text of a statement, and its parameters.
Statement = tuple[str, tuple[Any, ...]]


def spaces_of(tables: Iterable[Table]) -> list[str]:
    """Return the spaces of some tables, and those that every store has."""
    found = [SPACES, WRITERS, FACTS]
    for table in tables:
        if not table.unguarded:
            found += [table.name, *(f"{table.name}/{group}" for group in table.guarded_groups)]
    return found


class Guard:
    """The checks of one connection. Belongs to its thread."""

    def __init__(
        self,
        key: IntegrityKey,
        witness: Witness,
        execute: Execute,
        execute_all: Callable[[str, Sequence[Sequence[Any]]], None],
        statements: Mapping[str, Statements],
    ) -> None:
        self._run_all = execute_all
        self.key: Final = key
        self.witness: Final = witness
        self._execute, self._statements = execute, statements
        self._versions: dict[Place, int] = {}
        self.ledger = self._new_ledger()
        self._written: list[tuple[Place, int]] = []

    # --- reading ------------------------------------------------------------------------------

    def one(self, table: Table, key: Key) -> Any:
        """Return the entity with this key, or None.

        Raises:
            Altered: it is not as it was written, or is missing.
        """
        statements = self._statements[table.name]

        def look() -> Any:
            bucket = self._bucket(table.name, key, (table.name, key))
            row = self._execute(statements.select_row, key).fetchone()
            mark = None if row is None else self.mark(table, key, row)
            check_row(bucket, name_of(key), mark, (table.name, key))
            return None if row is None else statements.decode(row[1])

        return self._settled(look)

    def rows(self, table: Table, text: str, parameters: Sequence[Any]) -> list[Any]:
        """Return the entities of a statement that selects whole rows, each of them checked.

        Raises:
            Altered: one of them is not as it was written.
        """
        decode = self._statements[table.name].decode
        for _ in range(ATTEMPTS_MAX):
            found = self._execute(text, parameters).fetchall()
            if self._are_current(table, found):
                break
        return [decode(row[-1]) for row in found]

    def group(
        self, table: Table, group: str, values: Key, text: str, parameters: Sequence[Any]
    ) -> list[Any]:
        """Return all entities of a group, checked to be all of them.

        Raises:
            Altered: one of them is not as it was written, or is missing, or is none of ours.
        """
        space = f"{table.name}/{group}"

        def look() -> list[Any]:
            bucket = self._bucket(space, values, (space, values))
            found = self._execute(text, parameters).fetchall()
            marks = [self.mark(table, key_in(table, row), row[-2:]) for row in found]
            try:
                check_group(self.key, bucket, space, values, tally_of(marks))
            except Altered:
                self._are_current(table, found)  # names the row, if it is there
                raise
            decode = self._statements[table.name].decode
            return [decode(row[-1]) for row in found]

        return self._settled(look)

    def count(self, table: Table, group: str, values: Key, text: str) -> int:
        """Return how many rows a group has.

        Raises:
            Altered: there are more or fewer than the service has written.
        """
        space = f"{table.name}/{group}"

        def look() -> int:
            known = rows_in(self._bucket(space, values, (space, values)), name_of(values))
            found = int(self._execute(text, values).fetchone()[0])
            if found != known:
                problem = Problem.ADDED if found > known else Problem.MISSING
                raise Altered(space, values, problem)
            return found

        return self._settled(look)

    def facts(self, found: Mapping[str, str]) -> None:
        """Check the facts of the deployment, but for those that anybody may change.

        Raises:
            Altered: one of them is not as it was written, or is none of ours.
        """
        for name, value in found.items():
            mark = self.fact_mark(name, value)
            bucket = self._bucket(FACTS, (name,), (FACTS, (name,)))
            check_row(bucket, name_of((name,)), mark, (FACTS, (name,)))

    def has(self, space: str, name: str) -> bool:
        """Return whether a bucket has an entry.

        Raises:
            Altered: the bucket is not as it was written.
        """
        return self.has_entry(space, (name,), name_of((name,)))

    def has_entry(self, space: str, values: Key, name: str) -> bool:
        return name in self._bucket(space, values, (space, values)).entries

    def mark(self, table: Table, key: Key, row: Sequence[Any]) -> Mark:
        """Return the mark of a row: its version and its body, whatever is in their columns."""
        version, body = row
        number = version if isinstance(version, int) else -1
        return self.key.mark(table.name, key, number, as_bytes(body))

    def fact_mark(self, name: str, value: Any) -> Mark:
        return self.key.mark(FACTS, (name,), 0, as_bytes(value))

    def bucket_read(self, space: str, values: Key) -> Statement:
        """Return the statement that reads the bucket of a key, or of a group."""
        return _LOAD, Place(space, self.key.bucket_of(space, name_of(values)))

    def writer_read(self, stream: str) -> Statement:
        """Return the statement that reads a writer's own bucket."""
        return self.bucket_read(WRITERS, (stream,))

    def stored_bucket(self, place: Place) -> StoredBucket | None:
        """Return a bucket as it is stored."""
        row = self._execute(_LOAD, place).fetchone()
        if row is None:
            return None
        version = row[0] if isinstance(row[0], int) else -1
        return StoredBucket(version, as_bytes(row[1]), as_bytes(row[2]))

    def _bucket(self, space: str, values: Key, about: tuple[str, Key]) -> Bucket:
        place = Place(space, self.key.bucket_of(space, name_of(values)))
        seen = self.witness.seen(place)  # before reading: it may grow meanwhile
        bucket = open_bucket(self.key, place, self._noting_version(place), seen, about)
        if bucket.version > seen:
            self.witness.saw(place, bucket.version)
        return bucket

    def _noting_version(self, place: Place) -> StoredBucket | None:
        stored = self.stored_bucket(place)
        self._versions[place] = 0 if stored is None else stored.version
        return stored

    def _settled(self, look: Callable[[], T]) -> T:
        """Return the result of a look at rows and buckets that were of one moment."""
        outer = self._versions
        try:
            for _ in range(ATTEMPTS_MAX):
                versions = self._versions = {}
                try:
                    return look()
                except Altered:
                    if not any(self._has_changed(*one) for one in versions.items()):
                        raise
            return look()
        finally:
            self._versions = outer

    def _has_changed(self, place: Place, version: int) -> bool:
        stored = self.stored_bucket(place)
        return (0 if stored is None else stored.version) != version

    def _are_current(self, table: Table, found: Iterable[Sequence[Any]]) -> bool:
        """Return whether rows are as they are now; False if one was changed by the service.

        Raises:
            Altered: one of them is not as it was written.
        """
        for row in found:
            key = key_in(table, row)
            about = (table.name, key)
            try:
                bucket = self._bucket(table.name, key, about)
                check_row(bucket, name_of(key), self.mark(table, key, row[-2:]), about)
            except Altered:
                self.one(table, key)  # in the right order: the bucket first
                return False
        return True

    # --- writing ------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin with the buckets of a new transaction."""
        self.ledger = self._new_ledger()
        self._written.clear()

    def current(self, table: Table, key: Key) -> tuple[Mark, bytes] | None:
        """Return the mark and the body of a row, within the transaction.

        Raises:
            Altered: it is not as it was written, or is missing.
        """
        row = self._execute(self._statements[table.name].select_row, key).fetchone()
        mark = None if row is None else self.mark(table, key, row)
        self.ledger.check(table.name, key, mark)
        return None if mark is None else (mark, as_bytes(row[1]))

    def wrote(
        self,
        table: Table,
        before: tuple[Mark, Any] | None,
        after: tuple[bytes, Any] | None,
    ) -> None:
        """Note that a row was written: its mark and entity before, its body and entity after.

        None instead: it was not there, or is no longer.
        """
        old = new = None
        key: Key = ()
        if before is not None:
            mark, was = before
            key, old = table.key_of(was), Row(mark, groups_of(table, was))
        if after is not None:
            body, entity = after
            key = table.key_of(entity)
            mark = self.key.mark(table.name, key, entity.version, body)
            new = Row(mark, groups_of(table, entity))
        self.ledger.replace(table.name, key, old, new)

    def wrote_fact(self, name: str, before: str | None, value: str) -> None:
        """Note that a fact was set."""
        old = None if before is None else Row(self.fact_mark(name, before), {})
        self.ledger.replace(FACTS, (name,), old, Row(self.fact_mark(name, value), {}))

    def settle(self, *, kept: bool) -> None:
        """Keep the changes noted since the last call, or drop them with their savepoint."""
        if kept:
            self.ledger.keep()
        else:
            self.ledger.drop()

    def finish(self, stream: str) -> None:
        """Write the buckets of the transaction; that of the writer grows, whatever it wrote."""
        self.ledger.touch(WRITERS, stream)
        self.ledger.keep()
        rows = []
        for place, bucket in self.ledger.closed():
            rows.append((*place, *bucket))
            self._written.append((place, bucket.version))
        self._run_all(STORE_BUCKET, rows)

    def committed(self) -> None:
        """Have the witness see what is committed now."""
        for place, version in self._written:
            self.witness.saw(place, version)
        self._written.clear()

    def _new_ledger(self) -> Ledger:
        return Ledger(self.key, self.stored_bucket, self.witness.seen)


def groups_of(table: Table, entity: Any) -> dict[str, Key]:
    """Return the values of each guarded group that an entity is in."""
    found: dict[str, Key] = {}
    for group in table.guarded_groups:
        values = table.group_of(group, entity)
        if None not in values:
            found[group] = values
    return found


def key_in(table: Table, row: Sequence[Any]) -> Key:
    """Return the key of a row that was selected whole: its key, its version and its body."""
    return tuple(str(value) for value in row[: len(table.key)])


def as_bytes(value: Any) -> bytes:
    """Return the bytes of a column, whatever somebody may have put there."""
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else repr(value).encode()
