"""Turns: those who want to change the same thing do so one after the other, as they came.

Who has lost against another change waits here before it decides anew, so that however many want to
change one thing, each comes to it. Other processes are not waited for: one tries again.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from kagimori.pending import Pending
from kagimori.ports import ExpectAtMost, Key, Put, StoreConflict, Write


class Turns:
    """Queues of requests, one for each thing that is fought over, while it is."""

    def __init__(self) -> None:
        self._queues: dict[Key, deque[Pending[None]]] = {}

    def is_taken(self, name: Key) -> bool:
        """Return whether somebody has the turn, for whom others may wait."""
        return name in self._queues

    def take(self, name: Key) -> Pending[None]:
        """Settle once it is the caller's turn, who must give it back."""
        turn = Pending[None]()
        queue = self._queues.get(name)
        if queue is None:
            self._queues[name] = deque()
            turn.settle(None)
        else:
            queue.append(turn)
        return turn

    def give_back(self, name: Key) -> None:
        """Give the turn to the next in the queue, who goes on when the loop comes to it."""
        queue = self._queues[name]
        if queue:
            asyncio.get_running_loop().call_soon(queue.popleft().settle, None)
        else:
            del self._queues[name]


class Turn(Struct, eq=False):
    """One request's place: none until it meets others, and to be given back when it ends."""

    turns: Turns
    is_held: bool = False
    name: Key | None = None

    def check(self, writes: Sequence[Write]) -> None:
        """Check that nobody who came before waits to change the same.

        Raises:
            StoreConflict: somebody does.
        """
        if self.is_held:
            return
        self.name = _fought_over(writes)
        if self.name is not None and self.turns.is_taken(self.name):
            raise StoreConflict

    async def come(self) -> None:
        """Wait for the turn; who has it, or can have none, goes on at once."""
        if not self.is_held and self.name is not None:
            await self.turns.take(self.name)
            self.is_held = True

    def give_back(self) -> None:
        """Let the next one come, if this one had come."""
        if self.is_held and self.name is not None:
            self.is_held = False
            self.turns.give_back(self.name)


def _fought_over(writes: Sequence[Write]) -> Key | None:
    """Return the name of the first thing that must be as it was read; None if all is new."""
    for write in writes:
        is_new = isinstance(write, ExpectAtMost) or (isinstance(write, Put) and not write.before)
        if not is_new and not isinstance(write, ExpectAtMost):
            return (write.table.name, *write.table.key_of(write.entity))
    return None
