"""The clock that a server goes by."""

import time


class Clock:
    """The time of day, as float seconds since the epoch."""

    def now(self) -> float:
        return time.time()
