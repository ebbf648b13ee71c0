"""The follower that keeps the index, so that an event can be looked up within a second."""

import contextlib
import time
from typing import Final

from kagimori.trail.deriving import DerivingFollower
from kagimori.trail.index import KEPT_SECONDS, AuditIndex, remove_index
from kagimori.trail.source import Source

FORGET_SECONDS: Final = 3600.0


class IndexFollower(DerivingFollower[AuditIndex]):
    """Makes the index, and makes it anew when it cannot be complete any more."""

    name = "index"
    done = "indexed"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._forget_at = 0.0
        self._rebuilt: set[str] = set()

    def _open(self) -> AuditIndex:
        return AuditIndex(self._source.audit, self._source)

    def _finish_turn(self, derived: AuditIndex) -> None:
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_SECONDS
            derived.forget_before(time.time() - KEPT_SECONDS)

    def _begins_anew(self, stream: str) -> bool:
        """Begin anew, since what the index says can no longer be complete; once for a stream."""
        if stream in self._rebuilt:
            return False
        self._rebuilt.add(stream)
        self.close()
        with contextlib.suppress(OSError):
            remove_index(self._source.audit)
        return True
