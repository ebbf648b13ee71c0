"""The inputs of the HSM module from outside: times, and whether this is `dev`."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

REFUSAL_SECONDS: Final = 86_400


class World(NamedTuple):
    """`now` is the time of day (seconds since the epoch), as the HSM itself reads it.

    `refusal_seconds`: how long operators can refuse a request before it can be performed.

    In `dev` callers are made up and the service's clock is moved, so that the rules which need a
    caller's proof or the true time are not held there; signatures are of the true time even so.
    """

    dev: bool = False
    refusal_seconds: int = REFUSAL_SECONDS
    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def moment(self, given: float) -> float:
        """Return the time to decide by: our own, or in `dev` what the service says."""
        return given if self.dev else self.now()


TRUE_WORLD: Final = World()
