"""The follower that keeps the index, so that an event can be looked up within a second."""

import contextlib
import time
from typing import Final

from kagimori.trail.index import KEPT_SECONDS, AuditIndex, remove_index
from kagimori.trail.source import Source
from kagimori.trail.tail import EVERYTHING, TrailBroken

TURN_SECONDS: Final = 0.25
FORGET_SECONDS: Final = 3600.0


class IndexFollower:
    """Makes the index, and makes it anew when it cannot be complete any more."""

    name = "index"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._index: AuditIndex | None = None
        self._forget_at = 0.0
        self._rebuilt: set[str] = set()
        self._broken: dict[str, str] = {}

    def turn(self, *, stopping: bool) -> float:
        try:
            self._follow(self._opened())
        except Exception:
            self.close()
            raise
        return TURN_SECONDS

    def standing(self) -> str | None:
        broken = next(iter(self._broken.values()), None)
        return None if broken is None else f"nothing more of a stream is indexed: {broken}"

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def _opened(self) -> AuditIndex:
        if self._index is not None and not self._index.is_in_place:
            self.close()
        if self._index is None:
            self._index = AuditIndex(self._source.audit, self._source)
        return self._index

    def _follow(self, index: AuditIndex) -> None:
        ends = self._source.ends()
        for folder in self._source.folders():
            if folder.name in self._broken:
                continue
            try:
                index.follow(folder, ends.get(folder.name, EVERYTHING))
            except TrailBroken as broken:
                self._take_broken(folder.name, str(broken))
                return
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_SECONDS
            index.forget_before(time.time() - KEPT_SECONDS)

    def _take_broken(self, stream: str, why: str) -> None:
        """Begin anew, since what the index says can no longer be complete; once for a stream."""
        if stream in self._rebuilt:
            self._broken[stream] = why
            return
        self._rebuilt.add(stream)
        self.close()
        with contextlib.suppress(OSError):
            remove_index(self._source.audit)
