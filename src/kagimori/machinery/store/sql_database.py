"""A database that speaks SQL: what all engines have in common, over one connection.

Commits that wait together are made in one transaction, each in a savepoint of its own, so that
one sync serves them all and one conflict harms nobody else.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from kagimori.machinery.store.database import Commit, Cursor
from kagimori.machinery.store.denial_slots import adopt_denials
from kagimori.machinery.store.guard import Statement
from kagimori.machinery.store.sql_reader import SqlReader
from kagimori.machinery.store.standing import mark_all
from kagimori.ports import Delete, Put, StoreAltered, StoreConflict, StoreFailed, Table, Write
from kagimori.rules.integrity.altered import Altered

CHANGES_KEPT: Final = 10_000  # of each stream
_TRIMS: Final = 16  # so many while that many are added

_NEWEST: Final = "SELECT newest FROM feeds WHERE stream = ?"
_NEW_FEED: Final = "INSERT INTO feeds (stream, newest) VALUES (?, ?)"
_FEED: Final = "UPDATE feeds SET newest = ? WHERE stream = ?"
_ADD_CHANGE: Final = (
    "INSERT INTO changes (stream, sequence, event_id, cache_keys) VALUES (?, ?, ?, ?)"
)
_TRIM: Final = "DELETE FROM changes WHERE stream = ? AND sequence <= ?"
_ADD_RECORD: Final = (
    "INSERT INTO outbox (event_id, stream, journal_sequence, record) VALUES (?, ?, ?, ?)"
)
_RELEASE: Final = "DELETE FROM outbox WHERE event_id = ?"

_encode: Final = msgspec.json.Encoder().encode


class SqlDatabase(SqlReader):
    """SQL over one connection; every method blocks, and belongs on a thread."""

    @abstractmethod
    def _begin(self) -> None:
        """Begin a transaction that writes."""

    def _read_ahead(self, commits: Sequence[Commit]) -> None:
        """Begin to read what the commits will ask for, if that saves time."""

    def _commit(self) -> None:
        """Commit the transaction; what it wrote is durable afterwards."""
        self._execute("COMMIT")

    @abstractmethod
    def _roll_back(self) -> None:
        """End the transaction, if one is open, without a change."""

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
        guard = self._guard
        self._begin()
        try:
            self._read_ahead(commits)
            self._rows.begin()
            if guard is not None:
                guard.begin()
                if marks:
                    mark_all(guard, self._run, self._statements, marks, self.facts())
                    guard.settle(kept=True)
            self._write(commits, noted, probe=probe)
            for write in decided:
                self._rows.apply(write)
            if together:
                _raise_failure(commits)
            self._run_all(_RELEASE, [(event_id,) for event_id in released])
            if guard is not None:
                guard.finish(self._stream)
            self._commit()
        except Altered as altered:
            self._roll_back()
            raise StoreAltered(altered) from None
        except BaseException:
            self._roll_back()
            raise
        if guard is not None:
            guard.committed()

    def adopt_denials(self, node: str) -> int:
        with self.transaction():
            return adopt_denials(self._execute, node)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._begin()
        try:
            yield
            self._commit()
        except BaseException:
            self._roll_back()
            raise

    def run(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        return self._execute(text, parameters)

    def _write(
        self, commits: Sequence[Commit], noted: Sequence[tuple[Table, Any]], *, probe: bool
    ) -> None:
        if commits or probe:
            before = newest = self._newest()
            made: list[tuple[Commit, bytes]] = []
            for commit in commits:
                keys = self._in_savepoint(commit)
                if keys is not None:
                    made.append((commit, keys))
            self._keep_records(made, newest)
            newest += len(made)
            self._execute(_FEED, (newest, self._stream))
            step = max(1, CHANGES_KEPT // _TRIMS)
            if newest // step != before // step:
                self._execute(_TRIM, (self._stream, newest - CHANGES_KEPT))
        for table, entity in noted:
            statements = self._statements[table.name]
            self._execute(statements.keep, statements.row(entity))

    def newest_read(self) -> Statement:
        """Return the statement that reads how far our stream is."""
        return _NEWEST, (self._stream,)

    def _newest(self) -> int:
        """Return the newest sequence of our stream, which has a feed from then on."""
        row = self._run(_NEWEST, (self._stream,)).fetchone()
        if row is None:
            self._execute(_NEW_FEED, (self._stream, 0))
            return 0
        return int(row[0])

    def _keep_records(self, made: Sequence[tuple[Commit, bytes]], newest: int) -> None:
        """Add commits to the change feed, and their records to the outbox."""
        stream = self._stream
        changes = [
            (stream, newest + number, commit.event_id, keys)
            for number, (commit, keys) in enumerate(made, 1)
        ]
        records = [
            (commit.event_id, stream, commit.journal_sequence, commit.record) for commit, _ in made
        ]
        self._run_all(_ADD_CHANGE, changes)
        self._run_all(_ADD_RECORD, records)

    def _in_savepoint(self, commit: Commit) -> bytes | None:
        """Make the changes of one commit; return the cache keys that it makes stale, encoded.

        None if it was not made: it is marked failed then.
        """
        encoded = None
        self._execute("SAVEPOINT one")
        try:
            for fact in commit.facts:
                self._rows.set_fact(fact)
            self._rows.expect(commit.writes)
            keys = [key for write in commit.writes for key in self._rows.apply(write)]
            keys += commit.further_keys
            encoded = _encode(keys)
        except Altered as altered:
            commit.failure = StoreAltered(altered)
        except (StoreConflict, StoreFailed) as failure:
            commit.failure = failure
        except UnicodeEncodeError:
            commit.failure = StoreFailed("the database cannot hold one of the values")
        except self.conflicts as conflict:
            commit.failure = StoreConflict(str(conflict))
        if commit.failure is not None:
            self._execute("ROLLBACK TO SAVEPOINT one")
            self._rows.begin()
        self._execute("RELEASE SAVEPOINT one")
        if self._guard is not None:
            self._guard.settle(kept=commit.failure is None)
        return encoded


def destroys(commits: Sequence[Commit]) -> bool:
    """Return whether something must not be found on the disk after these commits."""
    for commit in commits:
        for write in commit.writes:
            if isinstance(write, Put | Delete) and write.destroys:
                return True
    return False


def _raise_failure(commits: Sequence[Commit]) -> None:
    for commit in commits:
        if commit.failure is not None:
            raise commit.failure
