"""Bounds how often a browser's address may ask, in bounded memory."""

from collections import OrderedDict
from typing import Final

ADDRESSES_MAX: Final = 4096


class Rate:
    """A token bucket for each address: `burst` requests at once, then `per_second`."""

    def __init__(self, *, burst: float, per_second: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float) -> float:
        """Return 0 if a request at `now` (seconds) may pass; else the seconds until one may."""
        tokens, at = self._buckets.pop(address, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - at) * self._per_second)
        passes = tokens >= 1.0
        self._buckets[address] = (tokens - 1.0 if passes else tokens, now)
        if len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1.0 - tokens) / self._per_second
