"""The follower that keeps the meter: requests by the hour, and the changes of keys.

It never begins anew by itself: what it has counted may be of journals that are gone. A stream that
does not go on from where it was is left where it is, and reported.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Final, Protocol

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.metering.older_keys import changes_of
from kagimori.trail.meter import Meter
from kagimori.trail.source import Source
from kagimori.trail.tail import EVERYTHING, TrailBroken

TURN_SECONDS: Final = 0.25


class Keys(Protocol):
    """All keys of the store, read once."""

    def all_keys(self) -> Iterable[KmsKey]: ...

    def close(self) -> None: ...


class MeteringFollower:
    """Counts the requests of all streams."""

    name = "metering"

    def __init__(
        self, source: Source, *, keys: Callable[[], Keys], now: Callable[[], float] = time.time
    ) -> None:
        self._source, self._keys, self._now = source, keys, now
        self._meter: Meter | None = None
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
        return None if broken is None else f"nothing more of a stream is counted: {broken}"

    def close(self) -> None:
        if self._meter is not None:
            self._meter.close()
            self._meter = None

    def _opened(self) -> Meter:
        if self._meter is not None and not self._meter.is_in_place:
            self.close()
        if self._meter is None:
            self._meter = Meter(self._source.audit, self._source)
        return self._meter

    def _follow(self, meter: Meter) -> None:
        ends = self._source.ends()
        for folder in self._source.folders():
            if folder.name in self._broken:
                continue
            try:
                meter.follow(folder, ends.get(folder.name, EVERYTHING))
            except TrailBroken as broken:
                self._broken[folder.name] = str(broken)
        if not meter.knows_older_keys:
            # Once the records that are there have shown what they know.
            self._add_older_keys(meter)

    def _add_older_keys(self, meter: Meter) -> None:
        with closing(self._keys()) as store:
            now = self._now()
            meter.add_older_keys(
                change for kms_key in store.all_keys() for change in changes_of(kms_key, now)
            )
