"""The room that a worker's memory of the store may take: by bytes, whatever it is that fills it.

Bytes are estimates, made from an entity's size as it is stored. When there is no more room, the
oldest entries of the kind that takes most of it go.
"""

from collections.abc import Sized
from typing import Any, Final

import msgspec

from kagimori.ports import Key

ROOM_BYTES: Final = 400 << 20
# Objects in memory are this much larger than their JSON, with what is computed from them.
_OF_JSON: Final = 3
_OF_ENTRY: Final = 600
_OF_MEMBER: Final = 2000

_encode: Final = msgspec.json.Encoder().encode


class Room:
    """Keeps entries in dictionaries, and takes the oldest out when they are too much together."""

    def __init__(self, most: int = ROOM_BYTES) -> None:
        self._most = most
        self._used = 0
        self._held: dict[str, tuple[dict[Key, Any], list[int]]] = {}

    def entries(self, name: str) -> dict[Key, Any]:
        """Return a new dictionary, which is filled and emptied through this room alone."""
        entries: dict[Key, Any] = {}
        self._held[name] = (entries, [0])
        return entries

    def keep(self, name: str, key: Key, value: Any) -> None:
        """Keep an entry, in place of an older one."""
        entries, _ = self._held[name]
        self.drop(name, key)
        entries[key] = value
        self.grow(name, _weight(value))

    def drop(self, name: str, key: Key) -> None:
        """Drop an entry, if it is there."""
        entries, used = self._held[name]
        if key in entries:
            weight = _weight(entries.pop(key))
            used[0] -= weight
            self._used -= weight

    def grow(self, name: str, by: int) -> None:
        """Count more bytes, and make room for them."""
        self._held[name][1][0] += by
        self._used += by
        while self._used > self._most:
            largest = max(self._held, key=lambda one: self._held[one][1][0])
            entries, _ = self._held[largest]
            if len(entries) <= 1:  # the newest stays: somebody waits for it
                return
            self.drop(largest, next(iter(entries)))

    def empty(self, name: str) -> None:
        """Drop the entries of one dictionary."""
        entries, used = self._held[name]
        entries.clear()
        self._used -= used[0]
        used[0] = 0

    def clear(self) -> None:
        """Drop everything."""
        self._used = 0
        for entries, used in self._held.values():
            entries.clear()
            used[0] = 0


def _weight(value: Any) -> int:
    if value is None:
        return _OF_ENTRY
    if isinstance(value, Sized):  # members of a group
        return _OF_ENTRY + _OF_MEMBER * len(value)
    return _OF_ENTRY + _OF_JSON * len(_encode(value))
