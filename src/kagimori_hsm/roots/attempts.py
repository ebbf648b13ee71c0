"""Attempts to open seals: one at a time for each, ever later after wrong secrets, all noted."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from kagimori_boundary.seal_replies import SealEvent, SealProblem
from kagimori_boundary.seals import Seal
from kagimori_hsm.roots.secrets import SecretRefused

DELAY_SECONDS_MAX: Final = 300.0
EVENTS_MAX: Final = 1000
# After these nobody has to wait: they say nothing about the secret.
_HARMLESS: Final = frozenset(
    {SealProblem.SAME_SHARE, SealProblem.UNREACHABLE, SealProblem.BUSY, SealProblem.DELAYED}
)


class Delayed(Exception):
    """A secret was not tried, since a wrong one was given a moment ago."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Attempts:
    """The attempts of this process, by seal. A new process begins without a delay."""

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now, self._monotonic = now, monotonic
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._running: set[str] = set()
        self._events: deque[SealEvent] = deque(maxlen=EVENTS_MAX)
        # Greater than the numbers of an earlier process, so that none of these passes for those.
        self._number = round(now() * 1000)

    def wait_seconds(self, seal_id: str) -> float:
        """Return how long no secret is tried for a seal."""
        return max(0.0, round(self._not_before.get(seal_id, 0.0) - self._monotonic(), 3))

    @contextmanager
    def one(self, name: str, seal: Seal) -> Iterator[list[int]]:
        """Let one attempt be made, and note how it ends; the list is `given, needed` of shares.

        Raises:
            Delayed: not yet.
            SecretRefused: BUSY, another one is being made; or what the attempt raises.
        """
        with self._lock:
            if seal.seal_id in self._running:
                raise SecretRefused(SealProblem.BUSY)
            wait = self.wait_seconds(seal.seal_id)
            if wait > 0:
                raise Delayed(wait)
            self._running.add(seal.seal_id)
        progress: list[int] = []
        problem = ""
        try:
            yield progress
        except SecretRefused as refused:
            problem = refused.problem.name
            if refused.problem not in _HARMLESS:
                self._delay(seal.seal_id)
            raise
        else:
            if not progress:  # the seal was opened, and not only one share more is there
                self._failures.pop(seal.seal_id, None)
        finally:
            with self._lock:
                self._running.discard(seal.seal_id)
                self._note(name, seal, problem, progress)

    def take(self, acknowledged: int) -> list[SealEvent]:
        """Return the events that are not acknowledged; forget those up to this number."""
        with self._lock:
            while self._events and self._events[0].number <= acknowledged:
                self._events.popleft()
            return list(self._events)[:100]

    def _delay(self, seal_id: str) -> None:
        failures = self._failures[seal_id] = self._failures.get(seal_id, 0) + 1
        seconds = min(DELAY_SECONDS_MAX, 2.0 ** min(failures - 1, 16))
        self._not_before[seal_id] = self._monotonic() + seconds

    def _note(self, name: str, seal: Seal, problem: str, progress: list[int]) -> None:
        self._number += 1
        self._events.append(
            SealEvent(
                self._number,
                round(self._now(), 3),
                name,
                seal.seal_id,
                seal.kind,
                problem,
                *progress,
            )
        )
