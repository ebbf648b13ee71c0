"""How many refusals of callers that could not be identified are recorded one by one.

Anybody who reaches the port can send such requests, so each address, and all together, have a
rate. Those beyond it are counted in one record.
"""

from collections import Counter
from ipaddress import ip_address
from typing import Any, Final

ADDRESS_BURST: Final = 200
ADDRESS_PER_SECOND: Final = 10.0
TOTAL_BURST: Final = 1000
TOTAL_PER_SECOND: Final = 100.0
ADDRESSES_MAX: Final = 4096
NAMED_MAX: Final = 10
_OTHERS: Final = "others"
_NETWORK_TEXT: Final = 4  # groups of an IPv6 address that are one subscriber's


class _Bucket:
    """Permits that come back with time."""

    __slots__ = ("at", "left")

    def __init__(self, burst: float, at: float) -> None:
        self.left, self.at = burst, at

    def refill(self, now: float, *, per_second: float, burst: float) -> float:
        """Return how many permits there are now."""
        self.left = min(burst, self.left + max(0.0, now - self.at) * per_second)
        self.at = now
        return self.left


class Strangers:
    """The rates of one worker. Memory is bounded."""

    def __init__(self) -> None:
        self._total = _Bucket(TOTAL_BURST, 0.0)
        self._by_address: dict[str, _Bucket] = {}
        self._since: float | None = None
        self._addresses: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()

    def admits(self, address: str, error_code: str, now: float) -> bool:
        """Return whether a refusal is to be recorded; one that is not is counted."""
        name = network_of(address)
        bucket = self._by_address.get(name)
        if bucket is None:
            bucket = self._new_bucket(name, now)
        theirs = bucket.refill(now, per_second=ADDRESS_PER_SECOND, burst=ADDRESS_BURST)
        ours = self._total.refill(now, per_second=TOTAL_PER_SECOND, burst=TOTAL_BURST)
        if theirs >= 1.0 and ours >= 1.0:
            bucket.left -= 1.0
            self._total.left -= 1.0
            return True
        if self._since is None:
            self._since = now
        is_known = name in self._addresses or len(self._addresses) < ADDRESSES_MAX
        self._addresses[name if is_known else _OTHERS] += 1
        self._codes[error_code] += 1
        return False

    def take(self) -> dict[str, Any] | None:
        """Return the refusals left out since the last time, as a record's details, if any."""
        if self._since is None:
            return None
        details = {
            "since": self._since,
            "count": self._codes.total(),
            "errorCodes": dict(self._codes),
            "sourceIPAddresses": dict(self._addresses.most_common(NAMED_MAX)),
        }
        self._since = None
        self._addresses, self._codes = Counter(), Counter()
        return details

    def _new_bucket(self, name: str, now: float) -> _Bucket:
        if len(self._by_address) >= ADDRESSES_MAX:
            self._forget_full(now)
        if len(self._by_address) >= ADDRESSES_MAX:
            name = _OTHERS  # so many at once share one
        return self._by_address.setdefault(name, _Bucket(ADDRESS_BURST, now))

    def _forget_full(self, now: float) -> None:
        """Drop the addresses that have all their permits again."""
        full_after = ADDRESS_BURST / ADDRESS_PER_SECOND
        self._by_address = {
            name: bucket
            for name, bucket in self._by_address.items()
            if now - bucket.at < full_after
        }


def network_of(address: str) -> str:
    """Return an address, or of IPv6 the network that one subscriber has."""
    if ":" not in address:
        return address
    try:
        return ":".join(ip_address(address).exploded.split(":")[:_NETWORK_TEXT]) + "::/64"
    except ValueError:
        return _OTHERS
