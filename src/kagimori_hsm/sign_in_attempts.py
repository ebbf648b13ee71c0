"""How often passwords may be tried: guessing is slow, and keeps nobody out for long.

Each attempt takes permits, which a right password gives back: of who was named at its source, of
who was named from anywhere, of the source, and of the account. What an attempt costs the processor
is bounded for all together. A device that has signed in before has permits of its own, so that a
stranger who has used up a person's permits does not keep that person out.

Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, NamedTuple

from kagimori_hsm.rates import Bucket
from kagimori_hsm.refused import Reason, Refused

# Permits at once and for each second.
NAMED_AT_SOURCE: Final = (10.0, 0.2)
NAMED: Final = (20.0, 0.2)
SOURCE: Final = (60.0, 1.0)
ACCOUNT: Final = (200.0, 2.0)
DEVICE: Final = (10.0, 0.1)
# Hashes of strangers, and of known devices: each takes a fifth of a second of a processor.
TOTAL: Final = (30.0, 2.0)
KNOWN_TOTAL: Final = (30.0, 2.0)
REMEMBERED_MAX: Final = 50_000


class Attempt(NamedTuple):
    """One attempt: who was named, in which account, from where, by which known device if any."""

    account: str
    named: str
    source: str
    known_device: str = ""


class Attempts:
    """The permits of this process, which serves all workers of a node. Memory is bounded."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        now = monotonic()
        self._totals = {False: Bucket(*TOTAL, now), True: Bucket(*KNOWN_TOTAL, now)}

    def begin(self, attempt: Attempt) -> None:
        """Take the permits of an attempt; it is refused if one of them is used up.

        Raises:
            Refused: TOO_OFTEN.
        """
        now = self._monotonic()
        with self._lock, ExitStack() as taken:
            # The total first: what it refuses makes nothing be remembered.
            total = self._totals[bool(attempt.known_device)]
            for bucket in (total, *(self._bucket(*of, now) for of in _permits(attempt))):
                if not bucket.take(now):
                    raise Refused(Reason.TOO_OFTEN)
                taken.callback(bucket.give_back)
            taken.pop_all()

    def was_right(self, attempt: Attempt) -> None:
        """Give the permits back, but not what the hash has cost."""
        now = self._monotonic()
        with self._lock:
            for of in _permits(attempt):
                self._bucket(*of, now).give_back()

    def _bucket(self, who: tuple[str, ...], size: tuple[float, float], now: float) -> Bucket:
        bucket = self._buckets.pop(who, None)
        if bucket is None:
            bucket = Bucket(*size, now)
            if len(self._buckets) >= REMEMBERED_MAX:
                del self._buckets[next(iter(self._buckets))]  # who has not tried for longest
        self._buckets[who] = bucket
        return bucket


def _permits(attempt: Attempt) -> tuple[tuple[tuple[str, ...], tuple[float, float]], ...]:
    """Return the permits that an attempt needs: whose they are, and how many there are."""
    account, named, source, device = attempt
    if device:
        return ((("device", account, named, device), DEVICE),)
    return (
        (("source", source), SOURCE),
        (("account", account), ACCOUNT),
        (("named at source", account, named, source), NAMED_AT_SOURCE),
        (("named", account, named), NAMED),
    )
