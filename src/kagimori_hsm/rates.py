"""Rates: how often something may be done, for each who asks and in total.

A bucket holds a number of permits and gets new ones at a steady rate; it begins full.
"""

from collections.abc import Callable
from typing import Final

WHO_REMEMBERED_MAX: Final = 100_000


class Bucket:
    """Permits for one: up to `burst` at once, `per_second` in the long run."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._left, self._at = burst, now

    def take(self, now: float) -> bool:
        """Take a permit; return whether there was one."""
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def give_back(self) -> None:
        """Undo a take."""
        self._left = min(self._burst, self._left + 1.0)


class Rate:
    """A bucket for each who asks, and one for all of them together."""

    def __init__(
        self,
        *,
        each: tuple[float, float],
        total: tuple[float, float],
        monotonic: Callable[[], float],
    ) -> None:
        self._each, self._monotonic = each, monotonic
        self._total = Bucket(*total, monotonic())
        self._buckets: dict[str, Bucket] = {}

    def allows(self, who: str) -> bool:
        """Count one more; return whether both bounds let it pass."""
        now = self._monotonic()
        bucket = self._buckets.pop(who, None)
        if bucket is None:
            bucket = Bucket(*self._each, now)
            if len(self._buckets) >= WHO_REMEMBERED_MAX:
                del self._buckets[next(iter(self._buckets))]  # who has not asked for longest
        self._buckets[who] = bucket
        return bucket.take(now) and self._total.take(now)
