"""The store port over a database: memory in front, one thread to read, one to write."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from kagimori.machinery.store.arming import Arming
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.database import CacheKey, Commit, as_store_failure
from kagimori.machinery.store.engines import engine_of, is_server
from kagimori.machinery.store.memory import Memory
from kagimori.machinery.store.thread import WorkerThread
from kagimori.machinery.store.watches import Watch
from kagimori.pending import Pending
from kagimori.ports import Delete, Key, Put, StoreAltered, Table, Write

COMMITS_TOGETHER_MAX: Final = 256
RELEASE_SECONDS: Final = 1.0

T = TypeVar("T")


class WorkerStore(Arming):
    """One worker's store. Made and used on the loop."""

    def __init__(
        self,
        place: str | Path,
        signal: ChangeSignal,
        *,
        stream: str,
        tables: Sequence[Table],
        waits_for_key: bool = False,
    ) -> None:
        """Open the store; with `waits_for_key`, nothing is loaded or changed before `arm`."""
        super().__init__(tables, waits_for_key=waits_for_key)
        self._loop = asyncio.get_running_loop()
        # Whether others than this node's workers may change it, of which memory learns later.
        self.is_shared = is_server(place)
        engine = engine_of(place)
        with contextlib.ExitStack() as unless_opened:
            self._writer = engine.open(stream, tables)
            unless_opened.callback(self._writer.close)
            # Before the outbox is read: afterwards nothing can come into it but by us.
            self._writer.take_stream()
            self._reader = engine.open(stream, tables)
            unless_opened.callback(self._reader.close)
            self._positions = self._reader.positions()
            unless_opened.pop_all()
        self._writing, self._reading = WorkerThread("store-write"), WorkerThread("store-read")
        self._signal, self._seen = signal, b""
        # The cache keys of others that were dropped since the commits that are on their way began;
        # None: all.
        self._dropped: set[CacheKey] | None = set()
        self._commits: list[Commit] = []
        self._released: list[str] = []
        self._noted: list[tuple[Table, Any]] = []
        self._busy = False
        self._release_timer: asyncio.TimerHandle | None = None
        self._reads_fail = self._writes_fail = False
        self.journal_sequence: Callable[[], int] = lambda: 0
        # Given the records of changes that were found to be made after they had been refused.
        self.on_late: Callable[[str, bytes], object] = lambda _event_id, _record: None
        self._waiting: list[Pending[None]] = []
        self._is_refreshing = False
        self.view = Memory(self._reader, self._load, tables)
        # Whoever had this stream before may have died between a commit and saying so.
        self._signal.notify()

    @property
    def healthy(self) -> bool:
        """Return whether the last read and the last write succeeded."""
        return not (self._reads_fail or self._writes_fail)

    def is_fresh(self) -> bool:
        """Return whether nobody else on this node has committed since we last looked."""
        return self._signal.counts[:] == self._seen

    def refresh(self) -> Pending[None]:
        """Drop from memory what others have changed since we last looked."""
        done: Pending[None] = Pending()
        self._waiting.append(done)
        if not self._is_refreshing:
            self._refresh_now()
        return done

    def _refresh_now(self) -> None:
        """Refresh for all who wait; those who come meanwhile wait for the next reading."""
        waiting, self._waiting = self._waiting, []
        look, since = self._look(), self._positions
        self._is_refreshing = True
        job = self._reading.call(lambda: self._reader.changes_since(since))

        def take() -> None:
            self._is_refreshing = False
            failure: Exception | None = None
            try:
                newest, stale = job.result()
            except Exception as problem:  # noqa: BLE001 - whoever waits must hear of it
                self._reads_fail = True
                failure = as_store_failure(problem)
            else:
                self._reads_fail = False
                # One reading thread: what is read later is never of an earlier moment.
                self._positions = newest
                self._drop(stale)
                self._took(look)
            if self._waiting:
                self._refresh_now()
            for done in waiting:
                if failure is None:
                    done.settle(None)
                else:
                    done.fail(failure)

        job.then(take)

    def _look(self) -> Any:
        """Return the marks of the moment before a reading."""
        return self._signal.counts[:]

    def _took(self, look: Any) -> None:
        """Note that all is in memory that the marks stand for."""
        self._seen = self._signal.with_own(look)

    def _announce(self) -> None:
        """Let others know that something was committed."""
        self._signal.notify()
        self._seen = self._signal.with_own(self._seen)

    def _drop(self, stale: list[CacheKey] | None) -> None:
        if stale is None:
            self._dropped = None
        elif self._dropped is not None:
            self._dropped.update(stale)
        if stale is None or stale:
            self.view.forget(stale)

    def commit(self, writes: Sequence[Write], event_id: str, record: bytes) -> Pending[None]:
        return self._commit(Commit(writes, event_id, record, self.journal_sequence()))

    def _commit(self, commit: Commit) -> Pending[None]:
        if commit.writes and not self.is_armed:
            return self._not_armed()
        self._commits.append(commit)
        self._write_on()
        return commit.pending

    def note(self, table: Table, entities: Sequence[Any]) -> None:
        self._noted.extend((table, entity) for entity in entities)
        self._write_on()

    def release(self, event_ids: Sequence[str]) -> None:
        self._released.extend(event_ids)
        self._release_soon()

    def due(self, table: Table, now: float, limit: int) -> Pending[Sequence[Any]]:
        return self._read(lambda: self._reader.due(table, now, limit))

    def read_all(self, table: Table) -> Pending[Sequence[Any]]:
        return self._read(lambda: self._reader.page(table, (), None, None, None))

    def search(
        self, table: Table, texts: Sequence[bytes], after: Key | None, rows: int
    ) -> Pending[tuple[Sequence[Any], Key | None]]:
        return self._read(lambda: self._reader.search(table, texts, after, rows))

    def _read(self, read: Callable[[], T]) -> Pending[T]:
        if not self.is_armed:
            return self._not_armed()
        done: Pending[T] = Pending()
        job = self._reading.call(read)

        def take() -> None:
            try:
                done.settle(job.result())
            except Exception as failure:  # noqa: BLE001 - whoever waits must hear of it
                done.fail(self._as_failure(failure))

        job.then(take)
        return done

    def outbox_now(self) -> Pending[list[tuple[str, str, int, bytes]]]:
        """Settle with the records of all nodes that are on their way into journals."""
        return self._read(self._reader.outbox)

    def all_at_start(self, table: Table) -> list[Any]:
        """Return all entities of a small table; called at start."""
        return self._reader.page(table, (), None, None, None)

    def outbox(self) -> list[tuple[str, str, int, bytes]]:
        """Return the records that a crash may have kept from the journal; called once, at start."""
        return self._reader.outbox()

    def newest_version(self, table: Table, beginning: str) -> int:
        """Return the greatest version among the entities whose key begins so; called at start."""
        return self._reader.newest_version(table, beginning)

    def close(self) -> None:
        if self._release_timer is not None:
            self._release_timer.cancel()
        self._write_on()
        self._writing.close()
        self._reading.close()
        self._writer.close()
        self._reader.close()

    # --- reading ------------------------------------------------------------------------------

    def _load(
        self, read: Callable[[], Any], keep: Callable[[Any], None], watch: Watch
    ) -> Pending[None]:
        if not self.is_armed:
            return self._not_armed()
        done: Pending[None] = Pending()
        self._load_once(read, keep, watch, done)
        return done

    def _load_once(
        self,
        read: Callable[[], Any],
        keep: Callable[[Any], None],
        watch: Watch,
        done: Pending[None],
    ) -> None:
        self.view.begin(watch)
        job = self._reading.call(read)

        def take() -> None:
            is_overtaken = self.view.is_overtaken(watch)
            try:
                value = job.result()
            except Exception as failure:  # noqa: BLE001 - whoever waits must hear of it
                self._reads_fail = self._reads_fail or isinstance(failure, self._reader.errors)
                done.fail(self._as_failure(failure))
                return
            self._reads_fail = False
            if is_overtaken:  # it changed while we read: what we have may be from before that
                self._load_once(read, keep, watch, done)
                return
            keep(value)
            done.settle(None)
            self.view.forget_overtaken(watch)

        job.then(take)

    # --- writing ------------------------------------------------------------------------------

    def _release_soon(self) -> None:
        if self._release_timer is None:
            self._release_timer = self._loop.call_later(RELEASE_SECONDS, self._release_now)

    def _release_now(self) -> None:
        self._release_timer = None
        self._write_on(even_nothing=self._writes_fail)

    def _write_on(self, *, even_nothing: bool = False) -> None:
        if self._busy or not (self._commits or self._released or self._noted or even_nothing):
            return
        self._busy, self._dropped = True, set()
        self.view.begin_commits()
        commits = self._commits[:COMMITS_TOGETHER_MAX]
        del self._commits[:COMMITS_TOGETHER_MAX]
        released, self._released = self._released, []
        noted, self._noted = self._noted, []
        job = self._writing.call(
            lambda: self._writer.commit_all(commits, released, noted, probe=even_nothing)
        )
        job.then(lambda: self._written(job, commits, released))

    def _written(self, job: Pending[None], commits: list[Commit], released: list[str]) -> None:
        self._busy = False
        self._take_late()
        try:
            job.result()
        except Exception as failure:  # noqa: BLE001 - whoever waits must hear of it
            self._writes_fail = True
            self._released = released + self._released
            for commit in commits:
                self._fail(commit, as_store_failure(failure))
            # What was to be released is tried again later, not at once: the disk may be full.
            self._release_soon()
            if self._commits:
                self._write_on()
            return
        self._writes_fail = False
        if commits:
            self._announce()
        for commit in commits:
            if commit.failure is not None:
                self._fail(commit, commit.failure)
                continue
            self._apply(commit)
            commit.pending.settle(None)
        self._write_on()

    def _take_late(self) -> None:
        late, self._writer.late = self._writer.late, []
        for commit in late:
            self.view.doubt(commit.writes)
            self.on_late(commit.event_id, commit.record)
        if late:
            self._announce()

    def _apply(self, commit: Commit) -> None:
        """Take our own commit into memory, but for entities that others have changed after it.

        Those may have been taken in already, and must not be overwritten by what was before.
        """
        dropped = self._dropped
        ours: list[Write] = []
        theirs: list[Write] = []
        for write in commit.writes:
            is_theirs = isinstance(write, Put | Delete) and (
                dropped is None or (write.table.name, *write.table.key_of(write.entity)) in dropped
            )
            (theirs if is_theirs else ours).append(write)
        self.view.apply(ours)
        self.view.doubt(theirs)

    def _fail(self, commit: Commit, failure: Exception) -> None:
        if isinstance(failure, StoreAltered):
            self.on_altered(failure.altered)
        self.view.doubt(commit.writes)
        commit.pending.fail(failure)
