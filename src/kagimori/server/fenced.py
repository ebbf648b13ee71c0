"""The store as what only one node may do sees it: nothing is changed without holding the lease.

Each commit expects the lease to be as it was when this node last looked. A node that was paused,
and does not know yet that another has taken over, therefore changes nothing: the store itself
refuses, in the same transaction. See docs/decisions/0046.
"""

from collections.abc import Sequence
from typing import Any

from kagimori.entities.node_tables import LEASES
from kagimori.pending import Pending
from kagimori.ports import Expect, Store, StoreFailed, Table, View, Write, resolved
from kagimori.rules.nodes.node import TIME, Lease


class FencedStore:
    """A store whose commits hold only while this node has the lease of what time asks for."""

    def __init__(self, store: Store, view: View, node: str) -> None:
        self._store, self._view, self._node = store, view, node
        self._lease: Lease | None = None
        self.is_shared = store.is_shared
        self.is_fresh, self.refresh = store.is_fresh, store.refresh
        self.due, self.search = store.due, store.search
        self.note, self.release = store.note, store.release

    async def holds(self) -> bool:
        """Return whether this node has the lease, as far as it knows; awaits pendings alone."""
        if not self._store.is_fresh():
            await self._store.refresh()
        lease: Lease | None = await resolved(self._view.one, LEASES, (TIME,))
        self._lease = lease if lease is not None and lease.holder == self._node else None
        return self._lease is not None

    def commit(self, writes: Sequence[Write], event_id: str, record: bytes) -> Pending[None]:
        """Commit, if the lease is still the one that this node held when it last looked.

        Fails with `StoreConflict` if it is not, after which `holds` looks anew.
        """
        if self._lease is None:
            refused: Pending[None] = Pending()
            refused.fail(StoreFailed("this node does not do what time asks for"))
            return refused
        return self._store.commit((Expect(LEASES, self._lease), *writes), event_id, record)

    def read_all(self, table: Table) -> Pending[Sequence[Any]]:
        return self._store.read_all(table)
