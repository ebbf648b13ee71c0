"""This node's share of each quota's rate, agreed with the other nodes by their heartbeats.

With each beat a node says how much was asked of it; from what all said, each computes its own
share. Nothing of it is on the way of a request: workers read a number in shared memory.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kagimori.machinery.quota_counts import QuotaCounts
from kagimori.rules.quotas.node_shares import share_of

# Of so many buckets a heartbeat says what was asked: those nearest to their rate, and of each that
# is asked at least this part of it.
PUBLISHED_MAX: Final = 256
PART_MIN: Final = 0.02
# How much of a newer measure counts: less than all, so that shares do not swing.
NEWER: Final = 0.5


class QuotaShares:
    """The shares of one node. Used by its first worker."""

    def __init__(self, counts: QuotaCounts) -> None:
        self._counts = counts
        self._asked: Mapping[str, tuple[float, float]] = {}
        self._at: float | None = None
        self._rates: dict[str, float] = {}  # asked in a second, by bucket
        self.published: Mapping[str, float] = {}

    def measure(self, at: float) -> Mapping[str, float]:
        """Return how much a second is asked of each bucket that matters; `at` is monotonic."""
        asked, before = self._counts.asked(), self._asked
        elapsed = 0.0 if self._at is None else at - self._at
        self._asked, self._at = asked, at
        if elapsed <= 0.0:
            return self.published
        parts: dict[str, float] = {}
        for name, (total, rate) in asked.items():
            new = (total - before.get(name, (0.0, 0.0))[0]) / elapsed
            old = self._rates.get(name, 0.0)
            self._rates[name] = max(0.0, old + NEWER * (new - old))
            if rate > 0.0:
                parts[name] = self._rates[name] / rate
        nearest = heapq.nlargest(PUBLISHED_MAX, parts, key=parts.__getitem__)
        self.published = {
            name: round(self._rates[name], 3) for name in nearest if parts[name] >= PART_MIN
        }
        return self.published

    def hear(self, others: Sequence[Mapping[str, float]]) -> None:
        """Take the share of each bucket, by what the other living nodes have published."""
        shares = {
            name: share_of(
                self.published.get(name, 0.0),
                [other.get(name, 0.0) for other in others],
                self._asked[name][1],
            )
            for name in _named([self.published, *others])
            if name in self._asked and self._asked[name][1] > 0.0
        }
        self._counts.set_shares(shares, 1.0 / (1 + len(others)))


def _named(published: Iterable[Mapping[str, float]]) -> set[str]:
    return {name for one in published for name in one}
