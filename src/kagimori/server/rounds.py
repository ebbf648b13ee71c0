"""Rounds of work that time asks for: one at a time, once a second, and whenever they are woken.

The timekeeper and the keeper of domain keys are such; each says what one step is.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Final

from kagimori.hsm.client import HsmGone
from kagimori.machinery.telemetry import Telemetry
from kagimori.pending import start
from kagimori.ports import StoreFailed
from kagimori.trail.journal import JournalFailed

TURN_SECONDS: Final = 1.0


class Rounds(ABC):
    """Takes steps until one says that nothing is left; a turn that fails does not end the next."""

    def __init__(
        self,
        part: str,
        telemetry: Telemetry,
        holds: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Take steps only while `holds` says that this node may; it awaits pendings alone."""
        self._part, self._telemetry = part, telemetry
        self._holds = holds or _always
        self._lock = asyncio.Lock()
        self._awake = False

    @abstractmethod
    async def step(self) -> bool:
        """Take one step, waiting for pendings alone; return whether another may follow at once."""

    async def run(self, may: Callable[[], bool] = lambda: True) -> None:
        """Take turns until cancelled, whenever that may be."""
        while True:
            if may():
                await self.turn()
            await asyncio.sleep(TURN_SECONDS)

    def wake(self, now: float) -> None:
        """Take a turn soon: something was changed that may be due by `now`."""
        if not self._awake:
            self._awake = True
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: loop.create_task(self.turn()))

    async def turn(self) -> None:
        """Take all steps that can be taken now."""
        async with self._lock:
            self._awake = False
            finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            start(self._take_steps(finished))
            await finished

    async def _take_steps(self, finished: asyncio.Future[None]) -> None:
        try:
            while await self._holds() and await self.step():
                pass
        except (HsmGone, JournalFailed, StoreFailed) as trouble:
            self._telemetry.trouble(f"{self._part}: {type(trouble).__name__}", str(trouble))
        except Exception as problem:  # noqa: BLE001 - the next turn must come
            self._telemetry.fault(problem)
        if not finished.done():
            finished.set_result(None)


async def _always() -> bool:
    return True
