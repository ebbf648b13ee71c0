"""Has the HSM use the rings of domain keys that the store keeps, after each change of them.

This is the operator's part of a rotation: what the HSM is shown was read back from the store, so
it is on disk, whatever happens next.
"""

import time
from collections.abc import Callable

from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.opened import new_store
from kagimori.entities.tables import DOMAINS
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.logs import Log
from kagimori.machinery.store.admin import AdminStore, StoreUnusable
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.rules.keys.domains import ALL, Domains
from kagimori_boundary.commands import AdoptDomains, Command
from kagimori_boundary.replies import Reply

RETRY_SECONDS = 5.0
SHARED_SECONDS = 1.0  # between looks at a store that other nodes change without a signal here


class Adoption:
    """Looks at the store when it was changed. Used by one thread at a time; `adopt` blocks."""

    def __init__(
        self,
        layout: Layout,
        ask: Callable[[Command], Reply],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._layout, self._ask, self._monotonic = layout, ask, monotonic
        layout.run.mkdir(mode=0o700, exist_ok=True)
        self._signal, self._seen = ChangeSignal(layout.changes), b""
        self._store: AdminStore | None = None
        self._adopted: tuple[object, int] | None = None
        self._not_before = 0.0
        self._is_shared, self._looked_at = layout.is_shared, 0.0

    def adopt(self, hsm: object) -> None:
        """Have `hsm` (a name of the process that runs now) adopt the rings, if they are new to it.

        What cannot be done now is tried again.
        """
        seen = self._signal.counts[:]
        is_known = self._adopted is not None and self._adopted[0] == hsm
        if self._monotonic() < self._not_before:
            return
        if seen == self._seen and is_known and not self._is_time():
            return
        self._looked_at = self._monotonic()
        try:
            domains = self._domains()
            if domains is not None and self._adopted != (hsm, domains.version):
                self._ask(AdoptDomains(domains.sealed))
                self._adopted = (hsm, domains.version)
            self._seen = seen
        except (StoreUnusable, Unusable, HsmRefused, OSError) as problem:
            self._not_before = self._monotonic() + RETRY_SECONDS
            Log().error("trouble", part="domain keys", why=str(problem))

    def _is_time(self) -> bool:
        return self._is_shared and self._monotonic() - self._looked_at >= SHARED_SECONDS

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._signal.close()

    def _domains(self) -> Domains | None:
        if self._store is None:
            self._store = new_store(self._layout, read_only=True)
        found: Domains | None = self._store.one(DOMAINS, (ALL,))
        return found
