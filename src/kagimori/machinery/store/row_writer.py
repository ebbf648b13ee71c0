"""Writes one row at a time within a transaction: as it was decided, or not at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from kagimori.machinery.store.database import CacheKey, Fact, cache_keys
from kagimori.machinery.store.group_sizes import Sizes
from kagimori.machinery.store.guard import Execute, Guard, Statement
from kagimori.machinery.store.reads_ahead import CLOSED, reads_of
from kagimori.machinery.store.sql import Statements
from kagimori.machinery.store.standing import IS_MARKED, UNGUARDED_FACTS
from kagimori.ports import (
    Delete,
    Expect,
    ExpectAtMost,
    Key,
    Put,
    StoreConflict,
    StoreFailed,
    Table,
    TokenOutdated,
    Write,
)
from kagimori.rules.integrity.altered import Altered, Problem
from kagimori.rules.integrity.marks import Mark
from kagimori_boundary.token_form import domain_key_id

_ISCLOSED: Final = f"SELECT 1 FROM {CLOSED} WHERE key_id = ?"  # noqa: S608


class RowWriter:
    """Applies writes by one connection; with a guard, each is checked and marked."""

    def __init__(
        self,
        execute: Execute,
        statements: Mapping[str, Statements],
        outdated: Callable[[str, Key], None],
    ) -> None:
        """Make one; `outdated` is called with each statement that finds a written row."""
        self._execute, self._statements = execute, statements
        self._outdated = outdated
        self._sizes = Sizes(execute, outdated)
        # The domain keys that this transaction has found not to be closed.
        self._open_keys: set[str] = set()
        self.guard: Guard | None = None

    def begin(self) -> None:
        """Begin with nothing read: another transaction begins, or some of this one was undone."""
        self._sizes.begin()
        self._open_keys.clear()

    def expect(self, writes: Sequence[Write]) -> None:
        """Read the sizes that a commit depends on, before it changes them."""
        for write in writes:
            if isinstance(write, ExpectAtMost) and write.group in write.table.counted:
                self._sizes.of(write.table, write.group, write.values)

    def reads_of(self, writes: Sequence[Write]) -> Iterator[Statement]:
        """Yield the statements that will be asked for these writes, and find a row or none."""
        return reads_of(writes, self._statements, self.guard)

    def set_fact(self, fact: Fact) -> None:
        """Set a fact of the deployment.

        Raises:
            StoreConflict: it is no longer as it was before.
            StoreFailed: it must be marked, and the key is not there.
        """
        if fact.before is None:
            text = "INSERT INTO deployment (value, name) VALUES (?, ?)"
            done = self._execute(text, (fact.value, fact.name))
        else:
            text = "UPDATE deployment SET value = ? WHERE name = ? AND value = ?"
            done = self._execute(text, (fact.value, fact.name, fact.before))
        if done.rowcount != 1:
            raise StoreConflict(fact.name)
        if fact.name in UNGUARDED_FACTS:
            return
        if self.guard is None:
            self._check_unmarked()
        else:
            self.guard.wrote_fact(fact.name, fact.before, fact.value)

    def apply(self, write: Write) -> list[CacheKey]:
        """Apply one write; return the cache keys that it makes stale.

        Raises:
            StoreConflict: what it was decided upon is no longer so.
            StoreFailed: it must be marked, and the key is not there.
            Altered: what is there was not written by the service.
        """
        if isinstance(write, ExpectAtMost):
            self._check_at_most(write)
            return []
        if isinstance(write, Put) and write.table.tokens is not None:
            self._check_tokens(write.table.tokens, write)
        if isinstance(write, Expect):
            self._expect(write)
            return []
        if write.table.name == CLOSED:
            self._open_keys.clear()
        if write.table.unguarded:
            self._write(write, self._body_of(write))
        elif self.guard is None:
            self._check_unmarked()
            self._write(write, self._body_of(write))
        else:
            self._write_marked(self.guard, write)
        if write.table.counted:
            self._sizes.note(write)
        return cache_keys(write)

    def _body_of(self, write: Put | Delete) -> bytes:
        """Return the body of the row that is written; empty, if it is removed."""
        if isinstance(write, Delete):
            return b""
        return self._statements[write.table.name].encode(write.entity)

    def _write(self, write: Put | Delete, body: bytes) -> None:
        statements, entity = self._statements[write.table.name], write.entity
        if isinstance(write, Put) and write.before is None:
            self._execute(statements.insert, statements.row(entity, body))
            return
        if isinstance(write, Delete):
            made = self._replace(statements, entity, statements.delete, ())
        else:
            row = statements.row(entity, body)
            made = self._replace(statements, write.before, statements.update, row)
        if not made:
            raise StoreConflict(write.table.name)

    def _overwrite(self, write: Put | Delete, body: bytes) -> None:
        """Write over a row that this transaction has found to be as the write expects it."""
        statements, entity = self._statements[write.table.name], write.entity
        if isinstance(write, Delete):
            self._execute(statements.delete, statements.this(entity))
        else:
            row = statements.row(entity, body)
            self._execute(statements.update, (*row, *statements.this(write.before)))

    def _write_marked(self, guard: Guard, write: Put | Delete) -> None:
        was = write.entity if isinstance(write, Delete) else write.before
        before = None if was is None else (self._current(guard, write.table, was), was)
        body = self._body_of(write)
        (self._write if before is None else self._overwrite)(write, body)
        self._outdated(
            self._statements[write.table.name].select_row, write.table.key_of(write.entity)
        )
        after = (body, write.entity) if isinstance(write, Put) else None
        guard.wrote(write.table, before, after)

    def _current(self, guard: Guard, table: Table, entity: Any) -> Mark:
        """Return the mark of a row that must be this entity.

        Raises:
            StoreConflict: it is another one, or gone.
            Altered: it is not as it was written.
        """
        found = guard.current(table, table.key_of(entity))
        if found is None:
            raise StoreConflict(table.name)
        mark, body = found
        statements = self._statements[table.name]
        # It may be there as an earlier version of ours wrote it, with other bytes.
        if body != statements.encode(entity) and statements.decode(body) != entity:
            raise StoreConflict(table.name)
        return mark

    def _expect(self, write: Expect) -> None:
        if self.guard is not None and not write.table.unguarded:
            self._current(self.guard, write.table, write.entity)
            return
        if not self._is_there(self._statements[write.table.name], write.entity):
            raise StoreConflict(write.table.name)

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
        return bool(self._execute(text, (*row, *this)).rowcount == 1)

    def _is_there(self, statements: Statements, entity: Any) -> bool:
        """Return whether an entity is there, and not another one with its key and version."""
        found = self._execute(statements.expect, statements.this(entity)).fetchone()
        return found is not None and statements.decode(found[0]) == entity

    def _check_at_most(self, write: ExpectAtMost) -> None:
        table, group = write.table, write.group
        found, guard = self._size(write), self.guard
        if guard is not None and not table.unguarded and group in table.guarded_groups:
            known = min(write.most + 1, guard.ledger.count(table.name, group, write.values))
            if found != known:
                problem = Problem.ADDED if found > known else Problem.MISSING
                raise Altered(f"{table.name}/{group}", write.values, problem)
        if found > write.most:
            raise StoreConflict(table.name)

    def _size(self, write: ExpectAtMost) -> int:
        """Return how many entities a group has, or more than it may have."""
        table, group = write.table, write.group
        if group in table.counted:
            return self._sizes.of(table, group, write.values)
        text, parameters = self._statements[table.name].count(write.values, group, write.most)
        return min(write.most + 1, int(self._execute(text, parameters).fetchone()[0]))

    def _check_unmarked(self) -> None:
        """Check that the store is not one whose rows are marked.

        Raises:
            StoreFailed: it is, and the key is not there.
        """
        if self._execute(IS_MARKED, ()).fetchone() is not None:
            raise StoreFailed("rows of this store are authenticated, and its HSM is not open")

    def _check_tokens(self, tokens: Callable[[Any], Sequence[bytes]], write: Put) -> None:
        """Refuse a token that is new to its entity and under a closed domain key.

        It was made before the key was closed, by a request that was slow: decided again, it gets
        one of the current key. So no token of a closed key can appear where none was found.
        """
        before = () if write.before is None else tokens(write.before)
        for token in tokens(write.entity):
            key_id = domain_key_id(token)
            if token in before or key_id is None or key_id.hex() in self._open_keys:
                continue
            if self._is_closed(key_id.hex()):
                raise TokenOutdated(f"{write.table.name}: a token of a closed domain key")
            self._open_keys.add(key_id.hex())

    def _is_closed(self, key_id: str) -> bool:
        if self.guard is not None and CLOSED in self._statements:
            table = self._statements[CLOSED].table
            return self.guard.current(table, (key_id,)) is not None
        return self._execute(_ISCLOSED, (key_id,)).fetchone() is not None
