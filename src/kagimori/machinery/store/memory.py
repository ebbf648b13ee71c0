"""The cache of a worker: entities, groups and their sizes, loaded on demand and bounded.

Everything here may be dropped at any time; a change made anywhere drops what it made stale, or
brings it up to date, at a cost that does not depend on how much is here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from kagimori.machinery.store.members import Many, Members, members_of, with_one
from kagimori.machinery.store.room import Room
from kagimori.machinery.store.watches import Watch, Watches
from kagimori.pending import Pending
from kagimori.ports import Absent, Expect, ExpectAtMost, Key, Put, Table, Write

EVERYTHING: Final = "*"  # a cache key of everything there is
_COUNTS_MAX: Final = 100_000
# More changed members than this, and the group is loaded anew.
_STALE_MAX: Final = 1000

Load = Callable[[Callable[[], Any], Callable[[Any], None], Watch], Pending[None]]


class Memory:
    """The view that operations read through; `Absent` says what must be fetched first."""

    def __init__(self, source: Any, load: Load, tables: Sequence[Table]) -> None:
        self._source = source
        self._load = load
        self._tables = {table.name: table for table in tables}
        self._room = Room()
        names = [f"{table.name}/{group}" for table in tables for group in table.groups]
        self._entities = {name: self._room.entries(name) for name in self._tables}
        self._groups: dict[str, dict[Key, Members]] = {
            name: self._room.entries(name) for name in names
        }
        self._counts: dict[str, dict[Key, int]] = {name: {} for name in names}
        # Members of groups that others have changed: to be read before the group is used again.
        self._stale: dict[Key, set[Key]] = {}
        # The groups counted since our last commits began: they may have been counted with them.
        self._young: set[Key] = set()
        # Pages are good until something of their table changes.
        self._pages = {name: self._room.entries(f"{name}?") for name in self._tables}
        self._watches = Watches()
        # Grows with every change that may concern callers: what was read before one is not kept.
        self.epoch = 0

    def one(self, table: Table, key: Key) -> Any:
        try:
            return self._entities[table.name][key]
        except KeyError:
            pass
        raise Absent(
            lambda: self._load(
                lambda: self._source.one(table, key),
                lambda entity: self._room.keep(table.name, key, entity),
                Watch((table.name, *key)),
            )
        )

    def group(self, table: Table, group: str, values: Key) -> Sequence[Any]:
        name = f"{table.name}/{group}"
        try:
            members = self._groups[name][values]
        except KeyError:
            pass
        else:
            if not self._stale or not self._stale.get((name, *values)):
                return members
            raise Absent(lambda: self._load_stale(table, group, values))
        raise Absent(
            lambda: self._load(
                lambda: self._source.page(table, values, None, None, group),
                lambda entities: self._room.keep(name, values, members_of(table, entities)),
                Watch((name, *values)),
            )
        )

    def page(
        self, table: Table, prefix: Key, after: Key | None, limit: int, group: str | None = None
    ) -> Sequence[Any]:
        name = (group or "", str(limit), *prefix, "after", *(after or ("",)))
        room, pages = f"{table.name}?", self._pages[table.name]
        if name in pages:
            page: Sequence[Any] = pages[name]
            if table.is_noted:  # used once: nobody hears of what is noted later
                self._room.drop(room, name)
            return page
        raise Absent(
            lambda: self._load(
                lambda: self._source.page(table, prefix, after, limit, group),
                lambda entities: self._room.keep(room, name, entities),
                Watch((table.name,), name),
            )
        )

    def count(self, table: Table, group: str, values: Key) -> int:
        name = f"{table.name}/{group}"
        try:
            return self._counts[name][values]
        except KeyError:
            pass
        raise Absent(
            lambda: self._load(
                lambda: self._source.count(table, group, values),
                lambda number: self._keep_count(name, values, number),
                Watch((name, *values)),
            )
        )

    def begin(self, watch: Watch) -> None:
        """Watch for changes that touch a load, from before it reads."""
        self._watches.begin(watch)

    def is_overtaken(self, watch: Watch) -> bool:
        """Return whether a change has touched a load, which must be done again then.

        A page is not: whoever has asked for it began before the change, and nobody else gets it.
        """
        return self._watches.end(watch) and watch.page is None

    def forget_overtaken(self, watch: Watch) -> None:
        """Drop the page of a load that a change has overtaken, once it was there to be taken."""
        if watch.is_overtaken and watch.page is not None:
            self._room.drop(f"{watch.name[0]}?", watch.page)

    # --- changes ------------------------------------------------------------------------------

    def begin_commits(self) -> None:
        """Note that commits of our own are on their way, up to the next call."""
        self._young.clear()

    def apply(self, writes: Iterable[Write]) -> None:
        """Bring memory up to date with our own commit."""
        for write in writes:
            if isinstance(write, Expect | ExpectAtMost):
                continue  # it has held: what is in memory of it is true
            table, entity = write.table, write.entity
            key = table.key_of(entity)
            before = write.before if isinstance(write, Put) else entity
            after = entity if isinstance(write, Put) else None
            self._touch(table, key)
            self._room.keep(table.name, key, after)
            for group in table.groups:
                left = None if before is None else table.group_of(group, before)
                joined = None if after is None else table.group_of(group, after)
                name = f"{table.name}/{group}"
                if left is not None and left != joined:
                    self._change_group(table, name, left, key, more=-1)
                if joined is not None:
                    more = int(left != joined)
                    self._change_group(table, name, joined, key, after, more=more)

    def _change_group(
        self, table: Table, name: str, values: Key, key: Key, entity: Any = None, *, more: int
    ) -> None:
        self._watches.touch((name, *values))
        if (name, *values) in self._young:
            self._counts[name].pop(values, None)
        elif values in self._counts[name]:
            self._counts[name][values] += more
        members = self._groups[name].get(values)
        if members is not None:
            self._room.drop(name, values)  # weighed before it is changed
            self._room.keep(name, values, with_one(table, members, key, entity))

    def doubt(self, writes: Iterable[Write]) -> None:
        """Drop the entries that a commit wrote or relied upon: others may have changed them."""
        for write in writes:
            if isinstance(write, ExpectAtMost):
                self._doubt_group(f"{write.table.name}/{write.group}", write.values)
                continue
            table = write.table
            key = table.key_of(write.entity)
            self._touch(table, key)
            self._room.drop(table.name, key)
            if isinstance(write, Expect):
                continue
            for group in table.groups:
                for entity in (write.entity, getattr(write, "before", None)):
                    if entity is not None:
                        values = table.group_of(group, entity)
                        self._doubt_group(f"{table.name}/{group}", values, key)

    def forget(self, cache_keys: Iterable[Sequence[str]] | None) -> None:
        """Drop the entries that changes of others made stale; None drops everything.

        The keys of an entity's groups come after its own.
        """
        if cache_keys is None:
            self._forget_all()
            return
        changed: Key | None = None
        for name, *rest in cache_keys:
            if name == EVERYTHING:
                self._forget_all()
                continue
            key = tuple(rest)
            table = self._tables.get(name)
            if table is not None:
                changed = key
                self._touch(table, key)
                self._room.drop(name, key)
            elif name in self._groups:
                self._doubt_group(name, key, changed)

    def _doubt_group(self, name: str, values: Key, member: Key | None = None) -> None:
        """Drop a group that is stale; of a large one, have the member that changed read again."""
        place = (name, *values)
        self._watches.touch(place)
        self._counts[name].pop(values, None)
        if isinstance(self._groups[name].get(values), Many):
            stale = self._stale.setdefault(place, set())
            if member is not None:
                stale.add(member)
            if len(stale) <= _STALE_MAX:
                return
        self._room.drop(name, values)
        self._stale.pop(place, None)

    def _forget_all(self) -> None:
        self.epoch += 1
        self._watches.touch_all()
        self._room.clear()
        self._stale.clear()
        for counts in self._counts.values():
            counts.clear()

    def _touch(self, table: Table, key: Key) -> None:
        """Note that an entity has changed: pages of its table, and loads of it, are stale."""
        if table.makes_callers:
            self.epoch += 1
        self._watches.touch((table.name, *key))
        self._watches.touch((table.name,))
        if self._pages[table.name]:
            self._room.empty(f"{table.name}?")

    # --- loads --------------------------------------------------------------------------------

    def _load_stale(self, table: Table, group: str, values: Key) -> Pending[None]:
        """Load the members of a group that others have changed, and these alone."""
        name = f"{table.name}/{group}"
        place = (name, *values)
        keys = tuple(self._stale.get(place, ()))

        def keep(entities: Sequence[Any]) -> None:
            members, stale = self._groups[name].get(values), self._stale.get(place)
            if members is None or stale is None:
                return  # dropped meanwhile
            self._room.drop(name, values)
            for key, entity in zip(keys, entities, strict=True):
                is_member = entity is not None and table.group_of(group, entity) == values
                members = with_one(table, members, key, entity if is_member else None)
                stale.discard(key)
            self._room.keep(name, values, members)
            if not stale:
                del self._stale[place]

        return self._load(
            lambda: [self._source.one(table, key) for key in keys], keep, Watch(place)
        )

    def _keep_count(self, name: str, values: Key, number: int) -> None:
        self._young.add((name, *values))
        _keep(self._counts[name], values, number, most=_COUNTS_MAX)


def _keep(known: dict[Key, Any], key: Key, value: Any, *, most: int) -> None:
    if len(known) >= most:
        del known[next(iter(known))]
    known[key] = value
