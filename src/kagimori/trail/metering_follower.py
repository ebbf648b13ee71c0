"""The follower that keeps the meter: requests by the hour, and the changes of keys.

It never begins anew by itself: what it has counted may be of journals that are gone.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Protocol

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.metering.older_keys import changes_of
from kagimori.trail.deriving import DerivingFollower
from kagimori.trail.meter import Meter
from kagimori.trail.source import Source


class Keys(Protocol):
    """All keys of the store, read once."""

    def all_keys(self) -> Iterable[KmsKey]: ...

    def close(self) -> None: ...


class MeteringFollower(DerivingFollower[Meter]):
    """Counts the requests of all streams."""

    name = "metering"
    done = "counted"

    def __init__(
        self, source: Source, *, keys: Callable[[], Keys], now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(source)
        self._keys, self._now = keys, now

    def _open(self) -> Meter:
        return Meter(self._source.audit, self._source)

    def _finish_turn(self, derived: Meter) -> None:
        if derived.knows_older_keys:
            return
        # Once the records that are there have shown what they know.
        with closing(self._keys()) as store:
            now = self._now()
            derived.add_older_keys(
                change for kms_key in store.all_keys() for change in changes_of(kms_key, now)
            )
