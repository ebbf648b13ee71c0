"""The follower that delivers log files as CloudTrail would, and digests of them."""

import os
import time
from collections.abc import Callable
from typing import Final

from kagimori.trail.delivery import Delivery
from kagimori.trail.signer import Signer
from kagimori.trail.source import Source
from kagimori.trail.targets import delivery_to

TURN_SECONDS_MAX: Final = 2.0
RETRY_SECONDS: Final = 15.0


class DeliveryFollower:
    """Delivers every so many minutes, and what is left at the end."""

    name = "delivery"

    def __init__(
        self,
        source: Source,
        signer: Signer,
        *,
        place: str,
        minutes: float,
        digest_minutes: float,
        trouble: Callable[[str], None],
    ) -> None:
        self._source, self._signer, self._place = source, signer, place
        self._seconds, self._digest_seconds = minutes * 60, digest_minutes * 60
        self._trouble = trouble
        self._delivery: Delivery | None = None
        self._due = self._digest_due = 0.0

    def turn(self, *, stopping: bool) -> float:
        now = time.monotonic()
        if stopping or now >= self._due:
            self._due = now + RETRY_SECONDS  # should it fail
            try:
                self._deliver(self._delivery or self._new_delivery(), now, stopping=stopping)
            except BaseException:
                self._delivery = None  # the next goes on from what was noted
                raise
            self._due = now + self._seconds
        return min(TURN_SECONDS_MAX, self._seconds)

    def standing(self) -> str | None:
        return None if self._delivery is None else self._delivery.standing()

    def close(self) -> None:
        """Nothing is held open."""

    def _deliver(self, delivery: Delivery, now: float, *, stopping: bool) -> None:
        delivery.deliver(self._source.ends())
        if self._digest_seconds > 0 and (stopping or now >= self._digest_due):
            delivery.digest()
            self._digest_due = now + self._digest_seconds

    def _new_delivery(self) -> Delivery:
        self._delivery = Delivery(
            self._source.audit,
            delivery_to(self._place, environment=os.environ, now=time.time),
            fingerprint=self._signer.fingerprint,
            sign=self._signer.sign,
            now=time.time,
            draw=os.urandom,
            trouble=self._trouble,
            source=self._source,
        )
        return self._delivery
