"""The members of a group in memory, which takes a change at a cost that does not grow with it.

A few are a tuple, as fast to go through as can be; many are held so that one more or less costs a
search. What is computed from the members (an index of grants) follows them likewise.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, overload

from kagimori.ports import F, Follower, Key, LargeGroup, Table

FEW: Final = 32


class Many(LargeGroup):
    """Many members, in key order."""

    __slots__ = ("_by_key", "_follower", "_keys")

    def __init__(self, table: Table, entities: Iterable[Any]) -> None:
        self._by_key = {table.key_of(entity): entity for entity in entities}
        self._keys = sorted(self._by_key)
        self._follower: Follower | None = None

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._by_key[key] for key in self._keys[index]]
        return self._by_key[self._keys[index]]

    def __iter__(self) -> Iterator[Any]:
        for key in self._keys:
            yield self._by_key[key]

    def followed(self, make: Callable[[Sequence[Any]], F]) -> F:
        if self._follower is None:
            self._follower = make(self)
        return self._follower  # type: ignore[return-value] # made by the one who asks

    def put(self, key: Key, entity: Any) -> None:
        """Add a member, or replace it."""
        if key not in self._by_key:
            insort(self._keys, key)
        self._by_key[key] = entity
        if self._follower is not None:
            self._follower.add(entity)

    def drop(self, key: Key) -> None:
        """Remove a member, if it is one."""
        entity = self._by_key.pop(key, None)
        if entity is None:
            return
        del self._keys[bisect_left(self._keys, key)]
        if self._follower is not None:
            self._follower.remove(entity)


Members = tuple[Any, ...] | Many


def members_of(table: Table, entities: Sequence[Any]) -> Members:
    """Return entities, in key order, as members of a group."""
    return tuple(entities) if len(entities) <= FEW else Many(table, entities)


def with_one(table: Table, members: Members, key: Key, entity: Any) -> Members:
    """Return the members with one more, or another in its place; None instead: without it."""
    if isinstance(members, Many):
        if entity is None:
            members.drop(key)
        else:
            members.put(key, entity)
        return members
    others = [one for one in members if table.key_of(one) != key]
    if entity is not None:
        others.append(entity)
        others.sort(key=table.key_of)
    return members_of(table, others)
