"""Followers of the journals, and what runs them: each in a thread of its own, watched.

One that fails is tried again, one that hangs is left to itself; neither stops the others. What
state each is in is for whoever asks, so that an alarm can be raised.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct

RETRY_SECONDS: Final = 15.0
HANG_SECONDS: Final = 120.0  # one turn may send for a while; no turn takes that long

OK: Final = "ok"
FAILING: Final = "failing"  # its last turn raised; it is tried again
STANDING: Final = "stands still"  # its turns end well, but something keeps it where it is
HANGING: Final = "hangs"  # a turn does not end
ENDED: Final = "ended"


class Follower(Protocol):
    """A reader of the journals that does something with the records, and notes how far it came."""

    name: str

    def turn(self, *, stopping: bool) -> float:
        """Take in new records; return after how many seconds to take the next turn.

        Raises:
            Exception: it could not; the next turn goes on from what was noted.
        """
        ...

    def standing(self) -> str | None:
        """Return why it does not get on though its turns succeed; None if it does."""
        ...

    def close(self) -> None: ...


class FollowerState(Struct, frozen=True):
    """How a follower is doing, and since how many seconds it has not come through a turn."""

    state: str
    why: str | None = None
    seconds: float = 0.0


class _Run:
    """One follower, its thread, and how it is doing."""

    def __init__(self, follower: Follower, now: float) -> None:
        self.follower = follower
        self.thread: threading.Thread | None = None
        self.turn_began: float | None = None
        self.well_at = now
        self.failure: str | None = None


class Runner:
    """Runs followers."""

    def __init__(
        self,
        followers: Sequence[Follower],
        *,
        trouble: Callable[[str, str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trouble, self._now = trouble, now
        self._stopping = threading.Event()
        self._runs = [_Run(follower, now()) for follower in followers]

    def start(self) -> None:
        for run in self._runs:
            run.thread = threading.Thread(
                target=self._keep_turning, args=(run,), name=run.follower.name, daemon=True
            )
            run.thread.start()

    def finish(self, seconds: float) -> bool:
        """Have each take a last turn; return whether all ended in time."""
        self._stopping.set()
        deadline = time.monotonic() + seconds
        threads = [run.thread for run in self._runs if run.thread is not None]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def states(self) -> dict[str, FollowerState]:
        """Return how each follower is doing, by name."""
        return {run.follower.name: self._state_of(run) for run in self._runs}

    def _state_of(self, run: _Run) -> FollowerState:
        now, began = self._now(), run.turn_began
        seconds = round(max(0.0, now - run.well_at), 1)
        if run.thread is None or not run.thread.is_alive():
            return FollowerState(ENDED, "its thread has ended", seconds)
        if began is not None and now - began > HANG_SECONDS:
            return FollowerState(HANGING, "its turn does not end", seconds)
        if run.failure is not None:
            return FollowerState(FAILING, run.failure, seconds)
        standing = run.follower.standing()
        if standing is not None:
            return FollowerState(STANDING, standing, seconds)
        return FollowerState(OK)

    def _keep_turning(self, run: _Run) -> None:
        while True:
            stopping = self._stopping.is_set()
            run.turn_began = self._now()
            try:
                pause = run.follower.turn(stopping=stopping)
                run.failure, run.well_at = None, self._now()
            except Exception as problem:  # noqa: BLE001 - the next turn must come
                run.failure = f"{type(problem).__name__}: {problem}"
                self._trouble(run.follower.name, run.failure)
                pause = RETRY_SECONDS
            run.turn_began = None
            if stopping:
                run.follower.close()
                return
            self._stopping.wait(pause)
