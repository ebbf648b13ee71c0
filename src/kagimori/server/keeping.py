"""Restarts of processes that have ended, after pauses that grow while they do not live long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

LIVED_SECONDS: Final = 5.0  # after which the next start needs no pause
PAUSE_SECONDS_MIN: Final = 0.05
PAUSE_SECONDS_MAX: Final = 5.0


class Restarts:
    """Restarts and their counts, by part; and the event that ends all keeping."""

    def __init__(self, on_started: Callable[[], None]) -> None:
        self._on_started = on_started
        self.stopping = asyncio.Event()
        self.counts = {"hsm": 0, "trail": 0, "worker": 0, "token": 0}

    async def keep(
        self,
        part: str,
        ended: Callable[[], Awaitable[None]],
        start: Callable[[], Awaitable[None]],
    ) -> None:
        """Call `start` whenever `ended` returns, until stopping."""
        pause = 0.0
        while not self.stopping.is_set():
            began = time.monotonic()
            await ended()
            if self.stopping.is_set():
                return
            self.counts[part] += 1
            pause = next_pause(pause, time.monotonic() - began)
            await asyncio.sleep(pause)
            await start()
            self._on_started()


def next_pause(pause: float, lived_seconds: float) -> float:
    """Return the seconds before a start: none after a good life, more after each bad one."""
    if lived_seconds > LIVED_SECONDS:
        return 0.0
    return min(PAUSE_SECONDS_MAX, max(PAUSE_SECONDS_MIN, pause * 2))
