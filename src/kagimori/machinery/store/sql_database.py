"""A database that speaks SQL: what all engines have in common, over one connection.

Commits that wait together are made in one transaction, each in a savepoint of its own, so that
one sync serves them all and one conflict harms nobody else.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final, Protocol

from kagimori.machinery.store.database import CacheKey, Commit, Fact, Positions, cache_keys
from kagimori.machinery.store.denial_slots import adopt_denials
from kagimori.machinery.store.group_sizes import note_change, size_of
from kagimori.machinery.store.sql import Statements
from kagimori.ports import (
    Delete,
    Expect,
    ExpectAtMost,
    Key,
    Put,
    StoreConflict,
    StoreFailed,
    Table,
    Write,
)
from kagimori_boundary.token_form import domain_key_id

CHANGES_KEPT: Final = 10_000  # of each stream
_TRIMS: Final = 16  # so many while that many are added

_IS_CLOSED: Final = "SELECT 1 FROM closed_domain_keys WHERE key_id = ?"
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


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class SqlDatabase(ABC):
    """SQL over one connection; every method blocks, and belongs on a thread."""

    errors: tuple[type[Exception], ...]
    # What a statement raises for something that is there already: it is a conflict.
    conflicts: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, stream: str, tables: Sequence[Table]) -> None:
        self._stream = stream
        self._statements = {table.name: Statements(table) for table in tables}

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
        statements = self._statements[table.name]
        row = self._execute(statements.select, key).fetchone()
        return None if row is None else statements.decode(row[0])

    def page(
        self, table: Table, prefix: Key, after: Key | None, limit: int | None, group: str | None
    ) -> list[Any]:
        statements = self._statements[table.name]
        text, parameters = statements.page(prefix, after, limit, group)
        return [statements.decode(body) for (body,) in self._execute(text, parameters)]

    def count(self, table: Table, group: str, values: Key) -> int:
        if group in table.counted:
            return size_of(self._execute, table, group, values)
        text, parameters = self._statements[table.name].count(values, group)
        return int(self._execute(text, parameters).fetchone()[0])

    def newest_version(self, table: Table, beginning: str) -> int:
        text = self._statements[table.name].newest
        bounds = (beginning, beginning + chr(0x10FFFF))
        return int(self._execute(text, bounds).fetchone()[0] or 0)

    def due(self, table: Table, now: float, limit: int) -> list[Any]:
        statements = self._statements[table.name]
        rows = self._execute(statements.due, (now, limit))
        return [statements.decode(body) for (body,) in rows]

    def search(
        self, table: Table, texts: Sequence[bytes], after: Key | None, rows: int
    ) -> tuple[list[Any], Key | None]:
        statements = self._statements[table.name]
        text, parameters = statements.search(texts, after, rows)
        seen = self._execute(text, parameters).fetchall()
        found = [statements.decode(body) for *_, body in seen if body is not None]
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
            found += [tuple(key) for (keys,) in rows for key in json.loads(keys)]
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

    # --- writing ------------------------------------------------------------------------------

    def commit_all(
        self,
        commits: Sequence[Commit],
        released: Sequence[str],
        noted: Sequence[tuple[Table, Any]] = (),
        *,
        probe: bool = False,
        together: bool = False,
    ) -> None:
        self._begin()
        try:
            self._write(commits, noted, probe=probe)
            if together:
                _raise_failure(commits)
            for event_id in released:
                self._execute("DELETE FROM outbox WHERE event_id = ?", (event_id,))
            self._commit()
        except BaseException:
            self._roll_back()
            raise

    def adopt_denials(self, node: str) -> int:
        self._begin()
        try:
            moved = adopt_denials(self._execute, node)
            self._commit()
        except BaseException:
            self._roll_back()
            raise
        return moved

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
                self._set(fact)
            keys = [key for write in commit.writes for key in self._apply(write)]
            encoded = json.dumps(keys).encode()
            self._execute(_ADD_CHANGE, (self._stream, sequence, commit.event_id, encoded))
            self._execute(
                _ADD_RECORD,
                (commit.event_id, self._stream, commit.journal_sequence, commit.record),
            )
        except (StoreConflict, StoreFailed) as failure:
            commit.failure = failure
        except UnicodeEncodeError:
            commit.failure = StoreFailed("the database cannot hold one of the values")
        except self.conflicts as conflict:
            commit.failure = StoreConflict(str(conflict))
        if commit.failure is not None:
            self._execute("ROLLBACK TO SAVEPOINT one")
        self._execute("RELEASE SAVEPOINT one")
        return commit.failure is None

    def _set(self, fact: Fact) -> None:
        if fact.before is None:
            text = "INSERT INTO deployment (value, name) VALUES (?, ?)"
            done = self._execute(text, (fact.value, fact.name))
        else:
            text = "UPDATE deployment SET value = ? WHERE name = ? AND value = ?"
            done = self._execute(text, (fact.value, fact.name, fact.before))
        if done.rowcount != 1:
            raise StoreConflict(fact.name)

    def _apply(self, write: Write) -> list[CacheKey]:
        statements = self._statements[write.table.name]
        if isinstance(write, ExpectAtMost):
            if self._size(write) > write.most:
                raise StoreConflict(write.table.name)
            return []
        entity = write.entity
        if isinstance(write, Put) and write.table.tokens is not None:
            self._check_tokens(write.table.tokens, write)
        if isinstance(write, Expect):
            if not self._is_there(statements, entity):
                raise StoreConflict(write.table.name)
            return []
        if isinstance(write, Delete):
            made = self._replace(statements, entity, statements.delete, ())
        elif write.before is None:
            made = self._execute(statements.insert, statements.row(entity)).rowcount == 1
        else:
            row = statements.row(entity)
            made = self._replace(statements, write.before, statements.update, row)
        if not made:
            raise StoreConflict(write.table.name)
        if write.table.counted:
            note_change(self._execute, write)
        return cache_keys(write)

    def _replace(
        self, statements: Statements, before: Any, text: str, row: tuple[Any, ...]
    ) -> bool:
        """Update or delete the entity that a change was decided on; return whether it was there."""
        this, body = statements.this(before), statements.encode(before)
        if self._execute(text + statements.and_body, (*row, *this, body)).rowcount == 1:
            return True
        # It may be there as an earlier version of ours wrote it, with other bytes.
        if not self._is_there(statements, before):
            return False
        return self._execute(text, (*row, *this)).rowcount == 1

    def _is_there(self, statements: Statements, entity: Any) -> bool:
        """Return whether an entity is there, and not another one with its key and version."""
        found = self._execute(statements.expect, statements.this(entity)).fetchone()
        return found is not None and statements.decode(found[0]) == entity

    def _size(self, write: ExpectAtMost) -> int:
        """Return how many entities a group has, or more than it may have."""
        table, group = write.table, write.group
        if group in table.counted:
            return size_of(self._execute, table, group, write.values)
        text, parameters = self._statements[table.name].count(write.values, group, write.most)
        return int(self._execute(text, parameters).fetchone()[0])

    def _check_tokens(self, tokens: Callable[[Any], Sequence[bytes]], write: Put) -> None:
        """Refuse a token that is new to its entity and under a closed domain key.

        It was made before the key was closed, by a request that was slow: decided again, it gets
        one of the current key. So no token of a closed key can appear where none was found.
        """
        before = () if write.before is None else tokens(write.before)
        for token in tokens(write.entity):
            key_id = domain_key_id(token)
            if token in before or key_id is None:
                continue
            if self._execute(_IS_CLOSED, (key_id.hex(),)).fetchone() is not None:
                raise StoreConflict(f"{write.table.name}: a token of a closed domain key")


def destroys(commits: Sequence[Commit]) -> bool:
    """Return whether something must not be found on the disk after these commits."""
    writes = (write for commit in commits for write in commit.writes)
    return any(isinstance(write, Put | Delete) and write.destroys for write in writes)


def _raise_failure(commits: Sequence[Commit]) -> None:
    for commit in commits:
        if commit.failure is not None:
            raise commit.failure
