"""The cache of a worker: entities and groups, loaded on demand and bounded.

Everything here may be dropped at any time; a change made anywhere drops what it made stale.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from kagimori.pending import Pending
from kagimori.ports import Absent, Expect, ExpectAtMost, Key, Put, Table, Write

ENTITIES_MAX: Final = 100_000
_PAGES_MAX: Final = 100

Load = Callable[[Callable[[], Any], Callable[[Any], None]], Pending[None]]


class Memory:
    """The view that operations read through; `Absent` says what must be fetched first."""

    def __init__(self, source: Any, load: Load, tables: Iterable[Table]) -> None:
        self._source = source
        self._load = load
        self._entities: dict[str, dict[Key, Any]] = {table.name: {} for table in tables}
        self._groups: dict[str, dict[Key, tuple[Any, ...]]] = {
            f"{table.name}/{group}": {} for table in tables for group in table.groups
        }
        self._pages: dict[Key, Sequence[Any]] = {}
        # Grows with every change applied: what was read before a change is not kept after it.
        self.epoch = 0

    def one(self, table: Table, key: Key) -> Any:
        try:
            return self._entities[table.name][key]
        except KeyError:
            pass
        known = self._entities[table.name]
        raise Absent(
            lambda: self._load(
                lambda: self._source.one(table, key), lambda entity: _keep(known, key, entity)
            )
        )

    def group(self, table: Table, group: str, values: Key) -> Sequence[Any]:
        known = self._groups[f"{table.name}/{group}"]
        try:
            return known[values]
        except KeyError:
            pass
        raise Absent(
            lambda: self._load(
                lambda: self._source.page(table, values, None, None, group),
                lambda entities: _keep(known, values, tuple(entities)),
            )
        )

    def page(
        self, table: Table, prefix: Key, after: Key | None, limit: int, group: str | None = None
    ) -> Sequence[Any]:
        name = (table.name, group or "", str(limit), *prefix, "after", *(after or ("",)))
        # A page is used once: what it held may change, and no change names it.
        if name in self._pages:
            return self._pages.pop(name)
        raise Absent(
            lambda: self._load(
                lambda: self._source.page(table, prefix, after, limit, group),
                lambda entities: _keep(self._pages, name, entities, most=_PAGES_MAX),
            )
        )

    def count(self, table: Table, group: str, values: Key) -> int:
        name = ("count", table.name, group, *values)
        if name in self._pages:
            (number,) = self._pages.pop(name)
            return int(number)
        raise Absent(
            lambda: self._load(
                lambda: self._source.count(table, group, values),
                lambda number: _keep(self._pages, name, (number,), most=_PAGES_MAX),
            )
        )

    def apply(self, writes: Iterable[Write], stale: Iterable[Key]) -> None:
        """Apply our own commit: keep its entities, and forget its groups."""
        self.forget(stale)
        for write in writes:
            if isinstance(write, Expect | ExpectAtMost):
                continue
            key = write.table.key_of(write.entity)
            entity = write.entity if isinstance(write, Put) else None
            _keep(self._entities[write.table.name], key, entity)

    def forget(self, cache_keys: Iterable[Key] | None) -> None:
        """Drop entries that a change made stale; None drops everything."""
        self.epoch += 1
        self._pages.clear()
        if cache_keys is None:
            for entities in self._entities.values():
                entities.clear()
            for groups in self._groups.values():
                groups.clear()
            return
        for name, *key in cache_keys:
            if name in self._entities:
                self._entities[name].pop(tuple(key), None)
            elif name in self._groups:
                self._groups[name].pop(tuple(key), None)


def _keep(known: dict[Key, Any], key: Key, value: Any, *, most: int = ENTITIES_MAX) -> None:
    if len(known) >= most:
        del known[next(iter(known))]
    known[key] = value
