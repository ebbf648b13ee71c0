"""The clock that a server goes by, and a time for what cannot be taken back.

A clock that is set wrong by a year makes everything due that waits: keys would be deleted, and
journals removed, for good. So what destroys goes by a time that runs no faster than time passes.
"""

import time
from collections.abc import Callable
from typing import Final

# What a clock may be set ahead at once, as when it is kept right by others.
STEP_SECONDS_MAX: Final = 600.0


def passed() -> float:
    """Return the seconds since the machine started, with those in which it slept."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SteadyTime:
    """The time of day, but for jumps ahead: after one it goes on from where it was.

    A new start believes the clock again. `on_jump` is called with the seconds of each jump.
    """

    def __init__(
        self,
        now: Callable[[], float],
        on_jump: Callable[[float], None],
        passed: Callable[[], float] = passed,
    ) -> None:
        self._now, self._on_jump, self._passed = now, on_jump, passed
        self._began = now() - passed()
        self._is_ahead = False

    def now(self) -> float:
        """Return the time of day, or an earlier one if the clock has jumped ahead."""
        shown, steady = self._now(), self._passed() + self._began
        if shown <= steady:
            self._is_ahead = False
            return shown
        if shown - steady <= STEP_SECONDS_MAX:
            self._began += shown - steady
            self._is_ahead = False
            return shown
        if not self._is_ahead:
            self._is_ahead = True
            self._on_jump(shown - steady)
        return steady


class Clock:
    """The time of day, as float seconds since the epoch."""

    now = staticmethod(time.time)

    def steady(self, on_jump: Callable[[float], None]) -> Callable[[], float]:
        """Return the time for what cannot be taken back."""
        return SteadyTime(self.now, on_jump).now


def jump_text(seconds: float) -> str:
    """Return the log's line about a clock that has jumped ahead."""
    return (
        f"the clock has jumped ahead by {seconds:.0f} seconds: nothing is deleted by it until the "
        "server is started again, or the clock is back"
    )
