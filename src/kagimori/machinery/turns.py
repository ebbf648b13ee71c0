"""Turns: those who want to change the same thing do so one after the other, as they came.

Who has lost against another change waits here before it decides anew, so that however many want to
change one thing, each comes to it. Those who only need a thing to stay as it is go together. Other
processes are not waited for: one tries again, after a pause that is longer each time.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Final

from msgspec import Struct

from kagimori.pending import Pending
from kagimori.ports import Delete, Expect, Key, Put, StoreConflict, Write

# How long a change is tried: beyond that it is refused as AWS refuses too many at once.
GIVE_UP_SECONDS: Final = 20.0
_PAUSES_FROM: Final = 3  # losses in turn, which are against other processes
_PAUSE_SECONDS: Final = 0.002
_PAUSE_SECONDS_MAX: Final = 0.1


class _Line:
    """Those who have the turn of one thing, several if they share it, and those who wait."""

    __slots__ = ("holders", "is_shared", "waiting")

    def __init__(self, *, is_shared: bool) -> None:
        self.holders = 1
        self.is_shared = is_shared
        self.waiting: deque[tuple[Pending[None], bool]] = deque()

    def admits(self, *, is_shared: bool) -> bool:
        return is_shared and self.is_shared and not self.waiting


class Turns:
    """Queues of requests, one for each thing that is fought over, while it is."""

    def __init__(self) -> None:
        self._lines: dict[Key, _Line] = {}

    @property
    def are_wanted(self) -> bool:
        """Return whether anything is fought over at all."""
        return bool(self._lines)

    def is_taken(self, name: Key, *, is_shared: bool = False) -> bool:
        """Return whether one who comes now would have to wait."""
        line = self._lines.get(name)
        return line is not None and not line.admits(is_shared=is_shared)

    def take(self, name: Key, *, is_shared: bool = False) -> Pending[None]:
        """Settle once it is the caller's turn, who must give it back."""
        turn = Pending[None]()
        line = self._lines.get(name)
        if line is None:
            self._lines[name] = _Line(is_shared=is_shared)
            turn.settle(None)
        elif line.admits(is_shared=is_shared):
            line.holders += 1
            turn.settle(None)
        else:
            line.waiting.append((turn, is_shared))
        return turn

    def give_back(self, name: Key) -> None:
        """Give the turn to the next in the queue, who goes on when the loop comes to it."""
        line = self._lines[name]
        line.holders -= 1
        if line.holders:
            return
        if not line.waiting:
            del self._lines[name]
            return
        line.is_shared = line.waiting[0][1]
        while line.waiting and (line.holders == 0 or (line.is_shared and line.waiting[0][1])):
            turn, _ = line.waiting.popleft()
            line.holders += 1
            asyncio.get_running_loop().call_soon(turn.settle, None)


class Turn(Struct, eq=False):
    """One request's place: none until it meets others, and to be given back when it ends.

    `held` are the things whose turn it has, and whether it shares it.
    """

    turns: Turns
    losses: int = 0
    held: dict[Key, bool] = {}
    since: float = 0.0

    def check(self, writes: Sequence[Write]) -> None:
        """Check that nobody who came before waits to change the same.

        Raises:
            StoreConflict: somebody does.
        """
        if self.held or not self.turns.are_wanted:
            return
        for name, is_shared in _fought_over(writes):
            if self.turns.is_taken(name, is_shared=is_shared):
                raise StoreConflict

    async def come(self, writes: Sequence[Write]) -> bool:
        """Wait for the turn to make these writes; return whether there is time left for it.

        The turns of several things are taken in one order by everybody, so that none wait for each
        other.
        """
        if self.losses == 0:
            self.since = monotonic()
        self.losses += 1
        wanted = dict(_fought_over(writes))
        if self.held != wanted:
            self.give_back()
            for name in sorted(wanted):
                await self.turns.take(name, is_shared=wanted[name])
                self.held[name] = wanted[name]
        elif self.losses >= _PAUSES_FROM:
            await _pause(self.losses - _PAUSES_FROM)
        return monotonic() - self.since < GIVE_UP_SECONDS

    def give_back(self) -> None:
        """Let the next ones come, if this one had come."""
        for name in self.held:
            self.turns.give_back(name)
        self.held = {}


def _fought_over(writes: Sequence[Write]) -> list[tuple[Key, bool]]:
    """Return the names of all that must be as it was read, and whether it stays so."""
    names: dict[Key, bool] = {}
    for write in writes:
        if isinstance(write, Put | Delete | Expect):
            name = (write.table.name, *write.table.key_of(write.entity))
            names[name] = isinstance(write, Expect) and names.get(name, True)
    return list(names.items())


def _pause(number: int) -> Pending[None]:
    pause = Pending[None]()
    longest = min(_PAUSE_SECONDS * 2**number, _PAUSE_SECONDS_MAX)
    seconds = longest * random.random()  # noqa: S311 - so that two who met do not meet again
    asyncio.get_running_loop().call_later(seconds, pause.settle, None)
    return pause
