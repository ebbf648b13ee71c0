"""A follower that one node at a time runs: what goes outward goes out once, not once a node.

It runs where the lease of what time asks for is. How far it has come is kept in the store as well
as in its file, so that the next node goes on from there. A death between what was sent and that
note means that it is sent again, under the same id, as it does on one node.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kagimori.entities.node_tables import FOLLOWER_STATES, LEASES
from kagimori.machinery.files import write_whole
from kagimori.machinery.store.admin import AdminStore, StoreUnusable
from kagimori.rules.nodes.node import TIME, Lease
from kagimori.rules.nodes.shared_trail import FollowerState
from kagimori.trail.follower import Follower

IDLE_SECONDS: Final = 1.0
CATCH_UP_SECONDS: Final = 10.0  # between copies of the state, by those that do not run it


class AloneFollower:
    """Runs another follower while this node holds the lease."""

    def __init__(
        self,
        name: str,
        make: Callable[[], Follower],
        *,
        node: str,
        file: Path,
        open_store: Callable[[], AdminStore],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the state in the store, if there is one, before `make` is called."""
        self.name = name
        self._make, self._node, self._file, self._open_store = make, node, file, open_store
        self._monotonic = monotonic
        self._inner: Follower | None = None
        self._store: AdminStore | None = None
        self._kept = FollowerState(name=name)
        self._caught_up_at: float | None = None
        with contextlib.suppress(StoreUnusable, OSError):  # the first turn sees to it
            self._store = open_store()
            self._take(self._store)

    def turn(self, *, stopping: bool) -> float:
        try:
            store = self._store = self._store or self._open_store()
            if not self._holds(store):
                self._end_inner()
                self._catch_up(store)
                return IDLE_SECONDS
            if self._inner is None:
                self._take(store)
                self._inner = self._make()
            pause = self._inner.turn(stopping=stopping)
            self._note(store)
        except StoreUnusable:
            self._end_inner()
            self._close_store()
            raise
        return min(pause, CATCH_UP_SECONDS)

    def standing(self) -> str | None:
        return None if self._inner is None else self._inner.standing()

    def close(self) -> None:
        self._end_inner()
        self._close_store()

    def _holds(self, store: AdminStore) -> bool:
        lease: Lease | None = store.one(LEASES, (TIME,))
        return lease is not None and lease.holder == self._node

    def _catch_up(self, store: AdminStore) -> None:
        """Have the file say how far the trail is done with: retention removes no more than that."""
        now = self._monotonic()
        if self._caught_up_at is None or now - self._caught_up_at >= CATCH_UP_SECONDS:
            self._caught_up_at = now
            self._take(store)

    def _take(self, store: AdminStore) -> None:
        found: FollowerState | None = store.one(FOLLOWER_STATES, (self.name,))
        if found is not None and found != self._kept:
            write_whole(self._file, found.state)
            self._kept = found

    def _note(self, store: AdminStore) -> None:
        """Note the state in the store, if the turn has changed it."""
        state = self._file.read_bytes() if self._file.exists() else b""
        if state == self._kept.state:
            return
        self._kept = FollowerState(name=self.name, state=state, version=self._kept.version + 1)
        store.note(((FOLLOWER_STATES, self._kept),))

    def _end_inner(self) -> None:
        if self._inner is not None:
            self._inner.close()
            self._inner = None

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
