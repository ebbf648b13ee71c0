"""The store as everything but the API workers uses it: facts, reading, and recorded commits.

Every method blocks. The command line, the supervisor and its threads open the store here; no other
file outside this folder knows which database it is. A commit takes the record of the change, so
a change without one cannot be written down.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from msgspec import Struct

from kagimori.entities.node_tables import NOTED
from kagimori.machinery.store.change_signal import ADMIN_SLOT, ChangeSignal
from kagimori.machinery.store.database import Commit, Database, Engine, Fact
from kagimori.machinery.store.engines import UnknownEngine, engine_of
from kagimori.machinery.store.guard import spaces_of
from kagimori.machinery.store.migrations import NewerSchema
from kagimori.machinery.store.witness import Witness, WitnessUnusable
from kagimori.ports import Delete, Key, Put, StoreConflict, StoreFailed, Table, Write
from kagimori.rules.integrity.altered import Altered
from kagimori.rules.integrity.marks import IntegrityKey
from kagimori.rules.records.service_event import ServiceRecord

CHECKED_BYTES_MAX: Final = 64 * 1024 * 1024
# Subtracted from a time in nanoseconds, which leaves a negative number in the same order.
_EPOCH_OFFSET: Final = 1 << 63


class StoreUnusable(Exception):
    """A reason why the store cannot be read or written; nothing was changed."""


class Change(Struct, frozen=True):
    """Writes that belong together, and their record."""

    writes: Sequence[Write | Fact]
    record: ServiceRecord


def open_store(
    place: str | Path,
    tables: Sequence[Table],
    *,
    writer: str | None = None,
    signal: Path | None = None,
) -> "AdminStore":
    """Open a store, with its schema brought to the newest version.

    `place` is a file, a URL that begins with `sqlite:`, or one of PostgreSQL. `writer` is the
    stream whose journal the records of commits go to; without one the store is only read. `signal`
    is the file through which running workers learn of commits.

    Raises:
        StoreUnusable: it cannot be opened, or was made by a newer version.
    """
    try:
        engine = engine_of(place)
    except UnknownEngine as reason:
        raise StoreUnusable(str(reason)) from None
    with _explained(engine):
        database = engine.open(writer or "", tables, read_only=writer is None)
        with contextlib.ExitStack() as unless_opened:
            unless_opened.callback(database.close)
            if writer is not None:
                database.take_stream()
            unless_opened.pop_all()
    return AdminStore(engine, database, tables, signal=signal)


class AdminStore:
    """An open store. Use it as a context manager, or close it."""

    def __init__(
        self, engine: Engine, database: Database, tables: Sequence[Table], *, signal: Path | None
    ) -> None:
        self._engine, self._database, self._signal = engine, database, signal
        self._tables, self._key = tables, b""
        self._witness: Witness | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()
        if self._witness is not None:
            self._witness.close()

    @property
    def name(self) -> str:
        """The place of the store, as people may see it."""
        return str(self._engine)

    # --- reading ------------------------------------------------------------------------------

    def check(self) -> None:
        """Check that the file is whole; a file of more than CHECKED_BYTES_MAX is not read.

        Raises:
            StoreUnusable: it is corrupt.
        """
        with _explained(self._engine):
            verdict = self._database.check(CHECKED_BYTES_MAX)
        if verdict is not None:
            raise StoreUnusable(f"{self._engine} is corrupt: {verdict}")

    def facts(self) -> Mapping[str, Any]:
        """Return the facts of the deployment, by name.

        Raises:
            StoreUnusable: the store cannot be read.
        """
        with _explained(self._engine):
            return self._database.facts()

    def one(self, table: Table, key: Key) -> Any:
        """Return the entity with this key, or None.

        Raises:
            StoreUnusable: the store cannot be read.
        """
        with _explained(self._engine):
            return self._database.one(table, key)

    def group(self, table: Table, group: str, values: Key) -> list[Any]:
        """Return all entities of a group, in key order.

        Raises:
            StoreUnusable: the store cannot be read.
        """
        return self.page(table, values, None, None, group)

    def page(
        self,
        table: Table,
        prefix: Key,
        after: Key | None,
        limit: int | None,
        group: str | None = None,
    ) -> list[Any]:
        """Return up to `limit` entities in key order, after the key `after`.

        Raises:
            StoreUnusable: the store cannot be read.
        """
        with _explained(self._engine):
            return self._database.page(table, prefix, after, limit, group)

    def count(self, table: Table, group: str, values: Key) -> int:
        """Return how many entities a group has.

        Raises:
            StoreUnusable: the store cannot be read.
        """
        with _explained(self._engine):
            return self._database.count(table, group, values)

    def hold_still(self) -> None:
        """See the store from now on as it is now, whatever others commit; for reading only."""
        with _explained(self._engine):
            self._database.hold_still()

    # --- integrity ----------------------------------------------------------------------------

    def arm(self, key: bytes, witness: Path) -> None:
        """Check from now on what is read, and mark what is written, with the integrity key.

        Raises:
            StoreUnusable: the witness file cannot be used.
        """
        try:
            opened = Witness(witness, spaces_of(self._tables))
        except (WitnessUnusable, OSError):
            raise StoreUnusable(f"{witness} cannot be used") from None
        if self._witness is not None:
            self._witness.close()
        self._key, self._witness = key, opened
        self._database.arm(IntegrityKey(key), opened)

    def forget_witness(self, witness: Path) -> list[str]:
        """Begin with a new witness, which believes the store as it is; return its `standing`.

        Raises:
            StoreUnusable: a bucket or a fact was changed.
        """
        self.arm(self._key, witness)
        return self.standing()

    def is_unmarked(self, missing: Sequence[str]) -> bool:
        """Return whether these are all spaces that a store can have."""
        return set(missing) == set(spaces_of(self._tables))

    def standing(self) -> list[str]:
        """Return the spaces whose rows are not marked yet.

        Raises:
            StoreUnusable: the store is older than it was, a fact of the deployment was changed, or
                it cannot be read.
        """
        with _explained(self._engine):
            return self._database.standing()

    # --- writing ------------------------------------------------------------------------------

    def commit(
        self,
        writes: Sequence[Write | Fact],
        record: ServiceRecord,
        *,
        marks: Sequence[str] = (),
    ) -> None:
        """Make changes and their record durable together; running workers see them at once.

        The rows of the spaces in `marks` are marked with them.

        Raises:
            StoreConflict: what they were decided upon is no longer so.
            StoreUnusable: the store cannot be written.
        """
        self.commit_together((Change(writes, record),), marks=marks)

    def commit_together(self, changes: Sequence[Change], *, marks: Sequence[str] = ()) -> None:
        """Do the same for several changes: all of them, or none.

        The records go into the journal when a server starts next, in the order in which they
        were committed.

        Raises:
            StoreConflict, StoreUnusable: as `commit`.
        """
        # Negative: the whole journal is searched for a record before the record is added to it.
        order = time.time_ns() - _EPOCH_OFFSET
        commits = [
            Commit(
                [write for write in change.writes if not isinstance(write, Fact)],
                change.record.event_id,
                change.record.line,
                order + number,
                facts=[write for write in change.writes if isinstance(write, Fact)],
            )
            for number, change in enumerate(changes)
        ]
        with _explained(self._engine):
            self._database.commit_all(commits, (), together=True, marks=marks)
            self._signal_change()

    def note(self, entities: Sequence[tuple[Table, Any]]) -> None:
        """Write entities that need no record, all of them or none, replacing older ones.

        Raises:
            StoreUnusable: the store cannot be written.
            ValueError: one needs a record.
        """
        if any(table.name not in NOTED for table, _ in entities):
            raise ValueError("nothing is noted here that needs a record")
        with _explained(self._engine):
            self._database.commit_all((), (), entities)

    def note_decided(self, writes: Sequence[Write]) -> None:
        """Write entities that need no record, if what they were decided upon is still so.

        Raises:
            StoreConflict: it is not; nothing was written.
            StoreUnusable: the store cannot be written.
            ValueError: one needs a record.
        """
        changed = [write for write in writes if isinstance(write, Put | Delete)]
        if any(write.table.name not in NOTED for write in changed):
            raise ValueError("nothing is noted here that needs a record")
        with _explained(self._engine):
            self._database.commit_all((), (), decided=writes)

    def adopt_denials(self, node: str) -> None:
        """Give all stored denials to the streams of this node, while no worker runs.

        Raises:
            StoreUnusable: the store cannot be written; nothing was changed.
        """
        with _explained(self._engine):
            self._database.adopt_denials(node)

    def outbox_streams(self) -> set[str]:
        """Return the streams whose journals may lack records that were committed.

        Raises:
            StoreUnusable: the store cannot be read.
        """
        with _explained(self._engine):
            return self._database.outbox_streams()

    def outbox(self) -> list[tuple[str, str]]:
        """Return the event id and the stream of each record on its way into a journal.

        Raises:
            StoreUnusable: the store cannot be read.
        """
        with _explained(self._engine):
            return [(event_id, stream) for event_id, stream, _, _ in self._database.outbox()]

    def adopt_outbox(self, stream: str, journalled: Collection[str]) -> None:
        """Forget records that are in a journal; all others are on their way to this stream.

        Raises:
            StoreUnusable: the store cannot be written; nothing was changed.
        """
        with _explained(self._engine), self._database.transaction():
            for event_id in journalled:
                self._database.run("DELETE FROM outbox WHERE event_id = ?", (event_id,))
            self._database.run(
                "UPDATE outbox SET stream = ?, journal_sequence = -1 WHERE stream <> ?",
                (stream, stream),
            )

    def _signal_change(self) -> None:
        if self._signal is None:
            return
        self._signal.parent.mkdir(mode=0o700, exist_ok=True)
        signal = ChangeSignal(self._signal, ADMIN_SLOT)
        signal.notify()
        signal.close()


@contextlib.contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """Turn errors of the database into a line for a person."""
    errors: tuple[type[Exception], ...] = (OSError, StoreFailed, *engine.errors)
    try:
        yield
    except StoreConflict:
        raise
    except (Altered, StoreFailed) as failure:
        raise StoreUnusable(f"{engine}: {failure}") from None
    except NewerSchema as newer:
        raise StoreUnusable(f"{engine} was made by a newer version of Kagimori ({newer})") from None
    except errors as problem:
        raise StoreUnusable(f"{engine} cannot be used: {problem}") from None
    except msgspec.MsgspecError:  # an entity that is none: its text may say what is in it
        raise StoreUnusable(
            f"{engine} is corrupt: it holds an entity that cannot be read"
        ) from None
