"""Watches heartbeats: how long each has stood still before the eyes of this observer.

No clock of another machine is believed. An observer adds up the time between its own looks at a
count that did not change, and of one look no more than `gap_seconds`: after the observer itself
was paused, or could not read, nobody is to blame for what it did not see.
"""

from collections.abc import Mapping

from msgspec import Struct


class _Seen(Struct, frozen=True):
    count: int
    still_seconds: float


class Watch:
    """The observations of one node. Times are of its own monotonic clock."""

    def __init__(self, gap_seconds: float) -> None:
        self._gap = gap_seconds
        self._looked_at: float | None = None
        self._seen: dict[str, _Seen] = {}

    def look(self, counts: Mapping[str, int], at: float) -> None:
        """Take in the counts of all heartbeats, read at a moment."""
        elapsed = 0.0 if self._looked_at is None else min(at - self._looked_at, self._gap)
        self._looked_at = at
        seen = {}
        for node, count in counts.items():
            before = self._seen.get(node)
            is_still = before is not None and before.count == count
            still = before.still_seconds + elapsed if before is not None and is_still else 0.0
            seen[node] = _Seen(count, still)
        self._seen = seen

    def still_seconds(self, node: str) -> float:
        """Return how long a heartbeat has stood still; 0 for one that was not seen yet."""
        seen = self._seen.get(node)
        return 0.0 if seen is None else seen.still_seconds

    def silent(self, seconds: float) -> frozenset[str]:
        """Return the nodes whose heartbeats have stood still for so long."""
        return frozenset(node for node, seen in self._seen.items() if seen.still_seconds >= seconds)

    def beating(self, seconds: float) -> frozenset[str]:
        """Return the other nodes: those that lived not longer ago than that."""
        return frozenset(self._seen) - self.silent(seconds)
