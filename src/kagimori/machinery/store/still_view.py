"""A read-only snapshot of the store, for use without a server."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kagimori.machinery.store.admin import open_store
from kagimori.ports import Key, Table


class StillView:
    """A view in which everything is there at once. An entity is always the same object."""

    def __init__(self, place: str | Path, tables: Sequence[Table]) -> None:
        """Open the store.

        Raises:
            StoreUnusable: it cannot be read; every method raises it as well.
        """
        self._source = open_store(place, tables)
        # One transaction for all reads: what a server changes meanwhile is not seen.
        with ExitStack() as unless_held:
            unless_held.callback(self._source.close)
            self._source.hold_still()
            unless_held.pop_all()
        self._entities: dict[tuple[str, Key], Any] = {}
        self._groups: dict[tuple[str, Key], tuple[Any, ...]] = {}

    def close(self) -> None:
        self._source.close()

    def one(self, table: Table, key: Key) -> Any:
        name = (table.name, key)
        if name not in self._entities:
            self._entities[name] = self._source.one(table, key)
        return self._entities[name]

    def group(self, table: Table, group: str, values: Key) -> Sequence[Any]:
        name = (f"{table.name}/{group}", values)
        if name not in self._groups:
            self._groups[name] = tuple(self._source.group(table, group, values))
        return self._groups[name]

    def page(
        self,
        table: Table,
        prefix: Key,
        after: Key | None,
        limit: int | None,
        group: str | None = None,
    ) -> Sequence[Any]:
        return self._source.page(table, prefix, after, limit, group)

    def count(self, table: Table, group: str, values: Key) -> int:
        return self._source.count(table, group, values)
