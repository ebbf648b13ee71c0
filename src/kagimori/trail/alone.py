"""A follower that one node at a time runs: what goes outward goes out once, not once a node.

It runs where the lease of what time asks for is. How far it has come is kept in the store as well
as in its file, so that the next node goes on from there. A death between what was sent and that
note means that it is sent again, under the same id, as it does on one node.

The note is fenced: it is kept only while the lease is the one that this node saw before the turn,
and upon the state that it went on from. A node that was paused, and believes that it still holds
the lease, sends no more than what it was about to send, and moves nobody's place.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kagimori.entities.node_tables import FOLLOWER_STATES, LEASES
from kagimori.machinery.files import write_whole
from kagimori.machinery.store.admin import AdminStore, StoreUnusable
from kagimori.ports import Expect, Put, StoreConflict
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
        self._lease: Lease | None = None  # under which the inner one runs
        self._caught_up_at: float | None = None
        with contextlib.suppress(StoreUnusable, OSError):  # the first turn sees to it
            self._store = open_store()
            self._take(self._store)

    def turn(self, *, stopping: bool) -> float:
        try:
            store = self._store = self._store or self._open_store()
            lease = self._lease_of(store)
            if lease is None or lease != self._lease:  # another's, or one that went and came back
                self._end_inner()
            self._lease = lease
            if lease is None:
                self._catch_up(store)
                return IDLE_SECONDS
            if self._inner is None:
                self._take(store)
                self._inner = self._make()
            pause = self._inner.turn(stopping=stopping)
            self._note(store, lease)
        except StoreConflict:  # another node has gone on meanwhile
            self._end_inner()
            self._kept = FollowerState(name=self.name)
            self._take(self._store or self._open_store())
            return IDLE_SECONDS
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

    def _lease_of(self, store: AdminStore) -> Lease | None:
        """Return the lease, if this node has it."""
        lease: Lease | None = store.one(LEASES, (TIME,))
        return lease if lease is not None and lease.holder == self._node else None

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

    def _note(self, store: AdminStore, lease: Lease) -> None:
        """Note the state in the store, if the turn has changed it.

        Raises:
            StoreConflict: this node does not have the lease any more, or went on from an old state.
        """
        state = self._file.read_bytes() if self._file.exists() else b""
        if state == self._kept.state:
            return
        before = self._kept if self._kept.version else None
        successor = FollowerState(name=self.name, state=state, version=self._kept.version + 1)
        store.note_decided((Expect(LEASES, lease), Put(FOLLOWER_STATES, successor, before)))
        self._kept = successor

    def _end_inner(self) -> None:
        if self._inner is not None:
            self._inner.close()
            self._inner = None

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
