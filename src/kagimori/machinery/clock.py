"""The clock that a server goes by."""

import time


class Clock:
    """The time of day, as float seconds since the epoch."""

    now = staticmethod(time.time)
