"""Heartbeats of workers: finds one whose event loop has stopped answering.

Time counts only as far as the supervisor itself was there to hear an answer: after the whole
machine stood still, nobody is to blame.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

PAUSE_SECONDS: Final = 1.0


async def until_silent(
    ask: Callable[[], Awaitable[bool]],
    silent_seconds: float,
    *,
    answer_seconds: float,
    pause_seconds: float = PAUSE_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Return once `ask` found no answer for so long; one ask takes `answer_seconds` at most."""
    silent = 0.0
    while silent < silent_seconds:
        began = monotonic()
        await asyncio.sleep(pause_seconds)
        if await ask():
            silent = 0.0
        else:
            silent += min(monotonic() - began, pause_seconds + answer_seconds)
