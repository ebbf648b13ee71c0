"""A database that speaks SQL: what all engines have in common, over one connection.

Commits that wait together are made in one transaction, each in a savepoint of its own, so that
one sync serves them all and one conflict harms nobody else.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import msgspec

from kagimori.machinery.store.database import CacheKey, Commit, Cursor, Positions
from kagimori.machinery.store.denial_slots import adopt_denials
from kagimori.machinery.store.group_sizes import size_of
from kagimori.machinery.store.guard import Guard, key_in
from kagimori.machinery.store.row_writer import RowWriter
from kagimori.machinery.store.sql import Statements
from kagimori.machinery.store.standing import check_standing, mark_all
from kagimori.machinery.store.sweep import sweep
from kagimori.machinery.store.witness import Witness
from kagimori.ports import Delete, Key, Put, StoreAltered, StoreConflict, StoreFailed, Table, Write
from kagimori.rules.integrity.altered import Altered
from kagimori.rules.integrity.marks import IntegrityKey

CHANGES_KEPT: Final = 10_000  # of each stream
_TRIMS: Final = 16  # so many while that many are added

_NEWEST: Final = "SELECT newest FROM feeds WHERE stream = ?"
_NEW_FEED: Final = "INSERT INTO feeds (stream, newest) VALUES (?, ?)"
_FEED: Final = "UPDATE feeds SET newest = ? WHERE stream = ?"
_CHANGED: Final = (
    "SELECT cache_keys FROM changes WHERE stream = ? AND sequence > ? AND sequence <= ?"
)
_ADD_CHANGE: Final = (
    "INSERT INTO changes (stream, sequence, event_id, cache_keys) VALUES (?, ?, ?, ?)"
)
_TRIM: Final = "DELETE FROM changes WHERE stream = ? AND sequence <= ?"
_ADD_RECORD: Final = (
    "INSERT INTO outbox (event_id, stream, journal_sequence, record) VALUES (?, ?, ?, ?)"
)

_encode: Final = msgspec.json.Encoder().encode
_keys_in: Final = msgspec.json.Decoder(list[tuple[Any, ...]]).decode


class SqlDatabase(ABC):
    """SQL over one connection; every method blocks, and belongs on a thread."""

    errors: tuple[type[Exception], ...]
    # What a statement raises for something that is there already: it is a conflict.
    conflicts: ClassVar[tuple[type[Exception], ...]]

    def __init__(
        self,
        stream: str,
        tables: Sequence[Table],
        *,
        contains: str = "instr(body, ?)",
        names_index: bool = True,
    ) -> None:
        self._stream = stream
        self.late: list[Commit] = []
        self._statements = {
            table.name: Statements(table, contains=contains, names_index=names_index)
            for table in tables
        }
        self._rows = RowWriter(self._run, self._statements)
        self._guard: Guard | None = None

    @abstractmethod
    def _execute(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run one statement; `?` marks the parameters in every engine."""

    @abstractmethod
    def _begin(self) -> None:
        """Begin a transaction that writes."""

    def _commit(self) -> None:
        """Commit the transaction; what it wrote is durable afterwards."""
        self._execute("COMMIT")

    @abstractmethod
    def _roll_back(self) -> None:
        """End the transaction, if one is open, without a change."""

    # --- reading ------------------------------------------------------------------------------

    def one(self, table: Table, key: Key) -> Any:
        if self._guard is not None and not table.unguarded:
            return self._guard.one(table, key)
        statements = self._statements[table.name]
        row = self._execute(statements.select, key).fetchone()
        return None if row is None else statements.decode(row[0])

    def page(
        self, table: Table, prefix: Key, after: Key | None, limit: int | None, group: str | None
    ) -> list[Any]:
        text, parameters = self._statements[table.name].page(prefix, after, limit, group)
        guard, is_whole = self._guard, after is None and limit is None
        if guard is not None and is_whole and group and _is_guarded(table, group):
            return guard.group(table, group, prefix, text, parameters)
        return self._whole_rows(table, text, parameters)

    def count(self, table: Table, group: str, values: Key) -> int:
        if group in table.counted:
            return size_of(self._execute, table, group, values)
        text, parameters = self._statements[table.name].count(values, group)
        if self._guard is not None and _is_guarded(table, group):
            return self._guard.count(table, group, values, text)
        return int(self._execute(text, parameters).fetchone()[0])

    def newest_version(self, table: Table, beginning: str) -> int:
        text = self._statements[table.name].newest
        bounds = (beginning, beginning + chr(0x10FFFF))
        return int(self._execute(text, bounds).fetchone()[0] or 0)

    def due(self, table: Table, now: float, limit: int) -> list[Any]:
        return self._whole_rows(table, self._statements[table.name].due, (now, limit))

    def _whole_rows(self, table: Table, text: str, parameters: Sequence[Any]) -> list[Any]:
        if self._guard is not None and not table.unguarded:
            return self._guard.rows(table, text, parameters)
        decode = self._statements[table.name].decode
        return [decode(row[-1]) for row in self._execute(text, parameters)]

    def search(
        self, table: Table, texts: Sequence[bytes], after: Key | None, rows: int
    ) -> tuple[list[Any], Key | None]:
        statements = self._statements[table.name]
        text, parameters = statements.search(texts, after, rows)
        seen = self._execute(text, parameters).fetchall()
        matching = [row for row in seen if row[-1] is not None]
        if self._guard is not None and not table.unguarded:
            found = [self.one(table, key_in(table, row)) for row in matching]
            found = [entity for entity in found if entity is not None]
        else:
            found = [statements.decode(row[-1]) for row in matching]
        return found, tuple(seen[-1][:-1]) if len(seen) == rows else None

    def positions(self) -> Positions:
        return dict(self._execute("SELECT stream, newest FROM feeds").fetchall())

    def changes_since(self, positions: Positions) -> tuple[Positions, list[CacheKey] | None]:
        newest = self.positions()
        found: list[CacheKey] = []
        for stream, sequence in newest.items():
            since = positions.get(stream, 0)
            if stream == self._stream or sequence <= since:
                continue
            rows = self._execute(_CHANGED, (stream, since, sequence)).fetchall()
            if len(rows) != sequence - since:  # a sequence has no gap: the oldest are not kept
                return newest, None
            found += [key for (keys,) in rows for key in _keys_in(keys)]
        return newest, found

    def outbox(self) -> list[tuple[str, str, int, bytes]]:
        return self._execute(
            "SELECT event_id, stream, journal_sequence, record FROM outbox "
            "ORDER BY journal_sequence"
        ).fetchall()

    def outbox_streams(self) -> set[str]:
        return {name for (name,) in self._execute("SELECT stream FROM outbox")}

    def facts(self) -> dict[str, str]:
        return dict(self._execute("SELECT name, value FROM deployment").fetchall())

    # --- integrity ----------------------------------------------------------------------------

    def arm(self, key: IntegrityKey, witness: Witness) -> None:
        self._guard = self._rows.guard = Guard(key, witness, self._run, self._statements)

    def standing(self) -> list[str]:
        if self._guard is None:
            return []
        tables = [statements.table for statements in self._statements.values()]
        return check_standing(self._guard, tables, self.facts())

    def others_version(self) -> int | None:
        return None

    def sweep(self) -> Iterator[list[Altered]]:
        if self._guard is None:
            return iter(())
        return sweep(self._guard, self._run, self._statements)

    def _run(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        return self._execute(text, parameters)

    # --- writing ------------------------------------------------------------------------------

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
            for event_id in released:
                self._execute("DELETE FROM outbox WHERE event_id = ?", (event_id,))
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
            for commit in commits:
                newest += self._in_savepoint(commit, newest + 1)
            self._execute(_FEED, (newest, self._stream))
            step = max(1, CHANGES_KEPT // _TRIMS)
            if newest // step != before // step:
                self._execute(_TRIM, (self._stream, newest - CHANGES_KEPT))
        for table, entity in noted:
            statements = self._statements[table.name]
            self._execute(statements.keep, statements.row(entity))

    def _newest(self) -> int:
        """Return the newest sequence of our stream, which has a feed from then on."""
        row = self._execute(_NEWEST, (self._stream,)).fetchone()
        if row is None:
            self._execute(_NEW_FEED, (self._stream, 0))
            return 0
        return int(row[0])

    def _in_savepoint(self, commit: Commit, sequence: int) -> bool:
        """Make one commit, or mark it failed; return whether it was made."""
        self._execute("SAVEPOINT one")
        try:
            for fact in commit.facts:
                self._rows.set_fact(fact)
            keys = [key for write in commit.writes for key in self._rows.apply(write)]
            keys += commit.further_keys
            encoded = _encode(keys)
            self._execute(_ADD_CHANGE, (self._stream, sequence, commit.event_id, encoded))
            self._execute(
                _ADD_RECORD,
                (commit.event_id, self._stream, commit.journal_sequence, commit.record),
            )
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
        return commit.failure is None


def _is_guarded(table: Table, group: str) -> bool:
    return not table.unguarded and group in table.guarded_groups


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
