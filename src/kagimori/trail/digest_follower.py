"""The follower that makes digests, when they are due and at the end."""

import time
from collections.abc import Callable
from typing import Final

from kagimori.trail.checkpoints import Checkpoints
from kagimori.trail.digests import Digester
from kagimori.trail.retention import Proposals
from kagimori.trail.signer import Signer
from kagimori.trail.source import Source

TURN_SECONDS: Final = 2.0
COPY_SECONDS: Final = 60.0  # before a copy that was not taken is tried again
RETRY_SECONDS: Final = 15.0


class DigestFollower:
    """Counts as records come; signs every so many minutes, and what is left at the end."""

    name = "digests"

    def __init__(
        self,
        source: Source,
        signer: Signer,
        *,
        minutes: float,
        proposals: Proposals,
        checkpoints: Callable[[], Checkpoints | None],
        trouble: Callable[[str], None],
    ) -> None:
        self._source, self._signer = source, signer
        self._seconds, self._proposals = minutes * 60, proposals
        self._checkpoints, self._trouble = checkpoints, trouble
        self._digester: Digester | None = None
        self._due = self._copy_at = 0.0

    def turn(self, *, stopping: bool) -> float:
        digester = self._digester or self._new_digester()
        digester.follow(self._source.ends())
        now = time.monotonic()
        if stopping or now >= self._due:
            self._due = now + RETRY_SECONDS  # should it fail
            self._digest(digester)
            self._due = now + self._seconds
            self._copy_at = now + COPY_SECONDS
        elif now >= self._copy_at:
            digester.copy()
            self._copy_at = now + COPY_SECONDS
        return TURN_SECONDS

    def standing(self) -> str | None:
        return None if self._digester is None else self._digester.standing()

    def close(self) -> None:
        """Nothing is held open."""

    def _digest(self, digester: Digester) -> None:
        begins = self._proposals.take()
        if digester.has_news() or begins:
            try:
                digester.make(begins)
            except BaseException:
                self._proposals.put(begins)
                raise

    def _new_digester(self) -> Digester:
        self._digester = Digester(
            self._source.audit,
            fingerprint=self._signer.fingerprint,
            sign=self._signer.sign,
            now=time.time,
            trouble=self._trouble,
            checkpoints=self._checkpoints(),
            source=self._source,
        )
        return self._digester
