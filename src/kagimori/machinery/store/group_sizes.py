"""The sizes of groups, kept in the store by the commits that change them.

To count a group costs as much as it has members, at every change that a limit bounds. A size is a
row that is written in the transaction that adds or removes a member, so it is exact at every
moment, however many workers there are and however they end.
"""

from collections.abc import Callable
from typing import Any, Final

from kagimori.ports import Delete, Key, Put, Table

_SIZE: Final = "SELECT members FROM group_sizes WHERE name = ? AND held_by = ?"
_MORE: Final = (
    "INSERT INTO group_sizes (name, held_by, members) VALUES (?, ?, 1) "
    "ON CONFLICT (name, held_by) DO UPDATE SET members = group_sizes.members + 1"
)
_NONE: Final = "DELETE FROM group_sizes WHERE name = ? AND held_by = ? AND members <= 0"
_LESS: Final = "UPDATE group_sizes SET members = members - 1 WHERE name = ? AND held_by = ?"

Execute = Callable[..., Any]


class Sizes:
    """The sizes of counted groups within a transaction: each is read once, and then followed."""

    def __init__(self, execute: Execute, outdated: Callable[[str, tuple[str, str]], None]) -> None:
        self._execute, self._outdated = execute, outdated
        self._known: dict[tuple[str, str], int] = {}

    def begin(self) -> None:
        """Begin with nothing read: another transaction begins, or some of this one was undone."""
        self._known.clear()

    def of(self, table: Table, group: str, values: Key) -> int:
        """Return the size of a group that is counted."""
        place = _place(table, group, values)
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = size_of(self._execute, table, group, values)
        return known

    def note(self, write: Put | Delete) -> None:
        """Bring the sizes of an entity's groups up to date, in the transaction that is open."""
        table = write.table
        before = write.before if isinstance(write, Put) else write.entity
        after = write.entity if isinstance(write, Put) else None
        for group in table.counted:
            left = None if before is None else table.group_of(group, before)
            joined = None if after is None else table.group_of(group, after)
            if left == joined:
                continue
            if left is not None:
                place = _place(table, group, left)
                self._execute(_LESS, place)
                self._execute(_NONE, place)
                self._follow(place, -1)
            if joined is not None:
                place = _place(table, group, joined)
                self._execute(_MORE, place)
                self._follow(place, 1)

    def _follow(self, place: tuple[str, str], by: int) -> None:
        if place in self._known:
            self._known[place] += by
        else:
            self._outdated(_SIZE, place)


def size_read(table: Table, group: str, values: Key) -> tuple[str, tuple[str, str]]:
    """Return the statement that reads the size of a group, and its parameters."""
    return _SIZE, _place(table, group, values)


def size_of(execute: Execute, table: Table, group: str, values: Key) -> int:
    """Return the size of a group that is counted."""
    row = execute(_SIZE, _place(table, group, values)).fetchone()
    return 0 if row is None else int(row[0])


def _place(table: Table, group: str, values: Key) -> tuple[str, str]:
    return f"{table.name}/{group}", "/".join(values)
