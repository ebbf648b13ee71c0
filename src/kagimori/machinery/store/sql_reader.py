"""The reading half of a database that speaks SQL: what all engines have in common.

Once it has the integrity key, all that it reads is checked.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

import msgspec

from kagimori.machinery.store.database import CacheKey, Commit, Cursor, Positions
from kagimori.machinery.store.group_sizes import size_of
from kagimori.machinery.store.guard import Guard, key_in
from kagimori.machinery.store.row_writer import RowWriter
from kagimori.machinery.store.sql import Statements
from kagimori.machinery.store.standing import check_standing
from kagimori.machinery.store.sweep import sweep
from kagimori.machinery.store.witness import Witness
from kagimori.ports import Key, Table
from kagimori.rules.integrity.altered import Altered
from kagimori.rules.integrity.marks import IntegrityKey

_CHANGED: Final = (
    "SELECT cache_keys FROM changes WHERE stream = ? AND sequence > ? AND sequence <= ?"
)
_keys_in: Final = msgspec.json.Decoder(list[tuple[Any, ...]]).decode


class SqlReader(ABC):
    """The half of a database that reads, over one connection."""

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
        # What is written to a row, after which what was read of it ahead no longer holds.
        self._rows = RowWriter(self._run, self._statements, self._outdated)
        self._guard: Guard | None = None

    @abstractmethod
    def _execute(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run one statement; `?` marks the parameters in every engine."""

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
        self._guard = self._rows.guard = Guard(
            key, witness, self._run, self._run_all, self._statements
        )

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

    @abstractmethod
    def _run_all(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row, within a transaction."""

    @abstractmethod
    def _outdated(self, text: str, parameters: Sequence[Any]) -> None:
        """Note that a statement would find something else than before, in this transaction."""


def _is_guarded(table: Table, group: str) -> bool:
    return not table.unguarded and group in table.guarded_groups
