"""A database as the stores use it: the protocol of every engine, and what a commit consists of."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from msgspec import Struct

from kagimori.machinery.store.witness import Witness
from kagimori.pending import Pending
from kagimori.ports import (
    Delete,
    Key,
    Put,
    StoreAltered,
    StoreConflict,
    StoreFailed,
    Table,
    Write,
)
from kagimori.rules.integrity.altered import Altered
from kagimori.rules.integrity.marks import IntegrityKey

CacheKey = tuple[str, ...]
# How far a reader has read the change feed: a sequence for each stream.
Positions = Mapping[str, int]


class Fact(Struct, frozen=True):
    """Something known of the deployment as a whole: a new fact, or the successor of `before`."""

    name: str
    value: str
    before: str | None = None


class Commit:
    """One commit on its way: what to write, its record, and who waits."""

    __slots__ = (
        "event_id",
        "facts",
        "failure",
        "further_keys",
        "journal_sequence",
        "pending",
        "record",
        "writes",
    )

    def __init__(
        self,
        writes: Sequence[Write],
        event_id: str,
        record: bytes,
        journal_sequence: int,
        *,
        facts: Sequence[Fact] = (),
        further_keys: Sequence[CacheKey] = (),
    ) -> None:
        self.further_keys = further_keys  # to be dropped from memory, whatever is written
        self.writes = writes
        self.facts = facts
        self.event_id = event_id
        self.record = record
        self.journal_sequence = journal_sequence
        self.pending: Pending[None] = Pending()
        self.failure: Exception | None = None


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class CommitUnknown(StoreFailed):
    """Nobody knows yet whether the commits were made; the database finds out, and says it."""


class Database(Protocol):
    """One connection to a store, for one thread; every method blocks.

    `errors` are what its methods raise when the database cannot be used. `late` are commits that
    failed with `CommitUnknown` and were found to be made since; their owner takes them out.
    """

    errors: tuple[type[Exception], ...]
    late: list[Commit]

    def take_stream(self) -> None:
        """See to it that no commit is still on its way that was begun for our stream before."""

    def one(self, table: Table, key: Key) -> Any:
        """Return the entity with this key, or None."""

    def page(
        self, table: Table, prefix: Key, after: Key | None, limit: int | None, group: str | None
    ) -> list[Any]:
        """Return up to `limit` entities in key order, after the key `after`."""

    def count(self, table: Table, group: str, values: Key) -> int:
        """Return how many entities a group has."""

    def newest_version(self, table: Table, beginning: str) -> int:
        """Return the greatest version among the entities whose key begins so; 0 without any."""

    def due(self, table: Table, now: float, limit: int) -> list[Any]:
        """Return up to `limit` entities whose time has come, the longest due first."""

    def search(
        self, table: Table, texts: Sequence[bytes], after: Key | None, rows: int
    ) -> tuple[list[Any], Key | None]:
        """Return the entities in whose body a text stands, and the last key looked at."""

    def await_change(self, seconds: float) -> None:
        """Return once another process announces a change, or that long has passed."""

    def announce_change(self) -> None:
        """Announce that something was committed, to those who wait for that."""

    def positions(self) -> Positions:
        """Return the newest sequence of every stream."""

    def changes_since(self, positions: Positions) -> tuple[Positions, list[CacheKey] | None]:
        """Return the newest positions, and the cache keys changed by others since those given.

        None instead of keys: the feed no longer reaches back so far; everything may have changed.
        """

    def outbox(self) -> list[tuple[str, str, int, bytes]]:
        """Return event id, stream, journal sequence and record of what may not be journalled."""

    def outbox_streams(self) -> set[str]:
        """Return the streams whose journals may lack records that were committed."""

    def facts(self) -> dict[str, str]:
        """Return the facts of the deployment, by name."""

    def hold_still(self) -> None:
        """See everything from now on as it is now, whatever others commit; for reading only."""

    def check(self, bytes_max: int) -> str | None:
        """Return why the database is corrupt, as far as can be found out; None if it is not."""

    def adopt_denials(self, node: str) -> int:
        """Give all stored denials to the streams of this node; return how many were moved."""

    def run(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run one statement; `?` marks its parameters in every engine."""

    def run_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of a block, or undo all if it fails."""

    def commit_all(
        self,
        commits: Sequence[Commit],
        released: Sequence[str],
        noted: Sequence[tuple[Table, Any]] = (),
        *,
        probe: bool = False,
        together: bool = False,
        marks: Sequence[str] = (),
        decided: Sequence[Write] = (),
    ) -> None:
        """Make the commits that do not conflict, in one transaction; mark the others failed.

        `probe` writes something even if there is nothing to write, to learn whether it can.
        With `together`, a conflict of one fails all of them, and is raised. The rows of the spaces
        in `marks` are marked before: those that `standing` found not to be in use. `decided` are
        writes without a record: with them all of it holds, or nothing.

        Raises:
            StoreConflict: what `decided` was decided upon is no longer so; nothing was changed.
            StoreAltered: the store is older than it was, or lost its marks; nothing was changed.
        """

    def arm(self, key: IntegrityKey, witness: Witness) -> None:
        """Check from now on what is read, and mark what is written."""

    def standing(self) -> list[str]:
        """Return the spaces that are not in use yet; none as long as it is not armed.

        Raises:
            Altered: the store is older than it was, or a fact of the deployment was changed.
        """

    def others_version(self) -> int | None:
        """Return a number that changes with each commit of others; None if there is none such."""

    def sweep(self) -> Iterator[list[Altered]]:
        """Yield the alterations by others, a few rows with each step."""

    def close(self) -> None:
        """Close the connection."""


class Engine(Protocol):
    """A kind of database, at one place. Its text is the place as people may see it."""

    errors: tuple[type[Exception], ...]

    def open(self, stream: str, tables: Sequence[Table], *, read_only: bool = False) -> Database:
        """Open a connection, with the schema brought to the newest version.

        Raises:
            NewerSchema: it was made by a newer version.
        """


def cache_keys(write: Put | Delete) -> list[CacheKey]:
    """Return the cache keys that a write invalidates: the entity's, and those of its groups."""
    table, entity = write.table, write.entity
    before = write.before if isinstance(write, Put) else None
    keys: list[CacheKey] = [(table.name, *table.key_of(entity))]
    for group, values_in in table.groups_of.items():
        values, name = values_in(entity), f"{table.name}/{group}"
        keys.append((name, *values))
        if before is not None and (left := values_in(before)) != values:
            keys.append((name, *left))
    return keys


def as_store_failure(failure: Exception) -> Exception:
    """Return the port's exception for an SQL failure."""
    if isinstance(failure, Altered):
        return StoreAltered(failure)
    is_ours = isinstance(failure, StoreConflict | StoreFailed)
    return failure if is_ours else StoreFailed(str(failure))
