"""The one clock. In `kagimori dev` it can be moved, so that tests see deadlines pass."""

import time


class Clock:
    """The time of day, as float seconds since the epoch."""

    def now(self) -> float:
        return time.time()


# As far as dates can be told: beyond the year 9999 there is none to write into a record.
OFFSET_SECONDS_MAX = 1_000 * 366 * 86_400


class MovableClock(Clock):
    """The time of day plus an offset, in seconds, that only grows."""

    def __init__(self) -> None:
        self._offset_seconds = 0.0

    def now(self) -> float:
        return time.time() + self._offset_seconds

    def advance(self, seconds: float) -> None:
        """Move the clock forward; time never runs back.

        Raises:
            ValueError: further than a thousand years.
        """
        offset = self._offset_seconds + max(0.0, seconds)
        if not offset <= OFFSET_SECONDS_MAX:
            raise ValueError("the clock does not go that far")
        self._offset_seconds = offset
