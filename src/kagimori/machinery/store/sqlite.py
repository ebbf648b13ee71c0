"""The embedded store: SQLite in WAL mode, `synchronous=FULL`.

One thread writes, one reads. Commits that wait together are made in one transaction, each in a
savepoint of its own, so that one fsync serves them all and one conflict harms nobody else.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from kagimori.machinery.store.migrations import migrate
from kagimori.machinery.store.sql import Statements
from kagimori.pending import Pending
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

BUSY_SECONDS: Final = 5.0
CHANGES_KEPT: Final = 10_000

CacheKey = tuple[str, ...]
_IS_CLOSED: Final = "SELECT 1 FROM closed_domain_keys WHERE key_id = ?"
_ADD_CHANGE: Final = "INSERT INTO changes (stream, cache_keys) VALUES (?, ?)"


class Fact(Struct, frozen=True):
    """Something known of the deployment as a whole: a new fact, or the successor of `before`."""

    name: str
    value: str | bytes
    before: str | bytes | None = None


class Commit:
    """One commit on its way: what to write, its record, and who waits."""

    __slots__ = ("event_id", "facts", "failure", "journal_sequence", "pending", "record", "writes")

    def __init__(
        self,
        writes: Sequence[Write],
        event_id: str,
        record: bytes,
        journal_sequence: int,
        *,
        facts: Sequence[Fact] = (),
    ) -> None:
        self.writes = writes
        self.facts = facts
        self.event_id = event_id
        self.record = record
        self.journal_sequence = journal_sequence
        self.pending: Pending[None] = Pending()
        self.failure: Exception | None = None


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection in autocommit mode, usable from the thread that is given it."""
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"file:{_quoted(path)}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        # What is deleted is overwritten: a destroyed key's token must not linger in free pages.
        connection.execute("PRAGMA secure_delete = ON")
    # INVARIANT(acknowledged-is-durable): each commit is on disk before it is acknowledged.
    connection.execute("PRAGMA synchronous = FULL")
    # No file outside the folder: workers may write nowhere else (server/confinement.py), and what
    # SQLite puts aside while it writes would be refused there.
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def open_database(path: Path) -> sqlite3.Connection:
    """Return a writing connection to a database of the newest schema."""
    connection = connect(path)
    migrate(connection)
    return connection


class Database:
    """SQL over one connection; every method blocks, and belongs on a thread."""

    def __init__(
        self, connection: sqlite3.Connection, stream: str, tables: Sequence[Table]
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._statements = {table.name: Statements(table) for table in tables}

    # --- reading ------------------------------------------------------------------------------

    def one(self, table: Table, key: Key) -> Any:
        statements = self._statements[table.name]
        row = self._connection.execute(statements.select, key).fetchone()
        return None if row is None else statements.decode(row[0])

    def page(
        self, table: Table, prefix: Key, after: Key | None, limit: int | None, group: str | None
    ) -> list[Any]:
        statements = self._statements[table.name]
        text, parameters = statements.page(prefix, after, limit, group)
        return [statements.decode(body) for (body,) in self._connection.execute(text, parameters)]

    def count(self, table: Table, group: str, values: Key) -> int:
        text, parameters = self._statements[table.name].count(values, group)
        return int(self._connection.execute(text, parameters).fetchone()[0])

    def newest_version(self, table: Table, beginning: str) -> int:
        """Return the greatest version among the entities whose key begins so; 0 without any."""
        text = self._statements[table.name].newest
        bounds = (beginning, beginning + chr(0x10FFFF))
        return int(self._connection.execute(text, bounds).fetchone()[0] or 0)

    def due(self, table: Table, now: float, limit: int) -> list[Any]:
        statements = self._statements[table.name]
        rows = self._connection.execute(statements.due, (now, limit))
        return [statements.decode(body) for (body,) in rows]

    def search(
        self, table: Table, texts: Sequence[bytes], after: Key | None, rows: int
    ) -> tuple[list[Any], Key | None]:
        """Return the entities in whose body a text stands, and the last key looked at."""
        statements = self._statements[table.name]
        text, parameters = statements.search(texts, after, rows)
        seen = self._connection.execute(text, parameters).fetchall()
        found = [statements.decode(body) for *_, body in seen if body is not None]
        return found, tuple(seen[-1][:-1]) if len(seen) == rows else None

    def changes_since(self, sequence: int) -> tuple[int, list[CacheKey] | None]:
        """Return the newest sequence, and the cache keys changed by others since the one given.

        None instead of keys: the feed no longer reaches back so far; everything may have changed.
        """
        oldest, newest = self._connection.execute(
            "SELECT min(sequence), max(sequence) FROM changes"
        ).fetchone()
        if newest is None or newest <= sequence:
            return sequence, []
        if oldest > sequence + 1:
            return newest, None
        rows = self._connection.execute(
            "SELECT cache_keys FROM changes WHERE sequence > ? AND stream <> ?",
            (sequence, self._stream),
        )
        return newest, [tuple(key) for (keys,) in rows for key in json.loads(keys)]

    def outbox(self) -> list[tuple[str, str, int, bytes]]:
        """Return event id, stream, journal sequence and record of what may not be journalled."""
        return self._connection.execute(
            "SELECT event_id, stream, journal_sequence, record FROM outbox "
            "ORDER BY journal_sequence"
        ).fetchall()

    # --- writing ------------------------------------------------------------------------------

    def commit_all(
        self,
        commits: Sequence[Commit],
        released: Sequence[str],
        noted: Sequence[tuple[Table, Any]] = (),
        *,
        probe: bool = False,
        together: bool = False,
    ) -> int:
        """Make the commits that do not conflict, in one transaction; mark the others failed.

        `probe` writes something even if there is nothing to write, to learn whether it can.
        With `together`, a conflict of one fails all of them.
        Returns the newest change sequence.

        Raises:
            sqlite3.Error: nothing at all was changed.
            StoreConflict: the same, with `together`.
        """
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for commit in commits:
                self._in_savepoint(commit)
            if together:
                _raise_failure(commits)
            for table, entity in noted:
                statements = self._statements[table.name]
                execute(statements.keep, statements.row(entity))
            for event_id in released:
                execute("DELETE FROM outbox WHERE event_id = ?", (event_id,))
            if probe:
                execute(_ADD_CHANGE, (self._stream, "[]"))
            newest = execute("SELECT max(sequence) FROM changes").fetchone()[0] or 0
            execute("DELETE FROM changes WHERE sequence < ?", (newest - CHANGES_KEPT,))
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        if any(
            isinstance(write, Put | Delete) and write.destroys
            for commit in commits
            for write in commit.writes
        ):
            # The log of old pages is emptied into the database, so that nothing lingers there.
            execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(newest)

    def _in_savepoint(self, commit: Commit) -> None:
        execute = self._connection.execute
        execute("SAVEPOINT one")
        try:
            for fact in commit.facts:
                self._set(fact)
            keys = [key for write in commit.writes for key in self._apply(write)]
            execute(_ADD_CHANGE, (self._stream, json.dumps(keys)))
            execute(
                "INSERT INTO outbox (event_id, stream, journal_sequence, record) "
                "VALUES (?, ?, ?, ?)",
                (commit.event_id, self._stream, commit.journal_sequence, commit.record),
            )
        except (StoreConflict, sqlite3.IntegrityError) as conflict:
            execute("ROLLBACK TO one")
            commit.failure = StoreConflict(str(conflict))
        execute("RELEASE one")

    def _set(self, fact: Fact) -> None:
        if fact.before is None:
            text = "INSERT INTO deployment (value, name) VALUES (?, ?)"
            done = self._connection.execute(text, (fact.value, fact.name))
        else:
            text = "UPDATE deployment SET value = ? WHERE name = ? AND value = ?"
            done = self._connection.execute(text, (fact.value, fact.name, fact.before))
        if done.rowcount != 1:
            raise StoreConflict(fact.name)

    def _apply(self, write: Write) -> list[CacheKey]:
        statements = self._statements[write.table.name]
        execute = self._connection.execute
        if isinstance(write, ExpectAtMost):
            if self.count(write.table, write.group, write.values) > write.most:
                raise StoreConflict(write.table.name)
            return []
        entity = write.entity
        if isinstance(write, Put) and write.table.tokens is not None:
            self._check_tokens(write.table.tokens, write)
        if isinstance(write, Expect):
            if execute(statements.expect, statements.this(entity)).fetchone() is None:
                raise StoreConflict(write.table.name)
            return []
        if isinstance(write, Delete):
            done = execute(statements.delete, statements.this(entity))
        elif write.before is None:
            done = execute(statements.insert, statements.row(entity))
        else:
            where = statements.this(write.before)
            done = execute(statements.update, (*statements.row(entity), *where))
        if done.rowcount != 1:
            raise StoreConflict(write.table.name)
        return cache_keys(write)

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
            if self._connection.execute(_IS_CLOSED, (key_id.hex(),)).fetchone() is not None:
                raise StoreConflict(f"{write.table.name}: a token of a closed domain key")


def _raise_failure(commits: Sequence[Commit]) -> None:
    for commit in commits:
        if commit.failure is not None:
            raise commit.failure


def cache_keys(write: Put | Delete) -> list[CacheKey]:
    """Return the cache keys that a write invalidates: the entity's, and those of its groups."""
    table = write.table
    keys: list[CacheKey] = [(table.name, *table.key_of(write.entity))]
    for group in table.groups:
        name = f"{table.name}/{group}"
        keys.append((name, *table.group_of(group, write.entity)))
        if isinstance(write, Put) and write.before is not None:
            keys.append((name, *table.group_of(group, write.before)))
    return keys


def as_store_failure(failure: Exception) -> Exception:
    """Return the port's exception for an SQL failure."""
    return failure if isinstance(failure, StoreConflict) else StoreFailed(str(failure))


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
