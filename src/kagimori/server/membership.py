"""The membership of this node, looked at while it serves: one that was removed stops by itself."""

import time
from collections.abc import Callable
from typing import Final

from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.opened import new_store
from kagimori.entities.node_tables import NODES
from kagimori.machinery.store.admin import AdminStore, StoreUnusable
from kagimori.rules.nodes.node import Node

LOOK_SECONDS: Final = 2.0


class Membership:
    """Looks at the store now and then. Used by one thread at a time; `is_removed` blocks."""

    def __init__(
        self, layout: Layout, node: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._layout, self._node, self._monotonic = layout, node, monotonic
        self._is_shared, self._next_look = layout.is_shared, 0.0
        self._store: AdminStore | None = None

    def is_removed(self) -> bool:
        """Return whether an operator has removed this node; not, as long as nobody can say."""
        if not self._is_shared or self._monotonic() < self._next_look:
            return False
        self._next_look = self._monotonic() + LOOK_SECONDS
        try:
            if self._store is None:
                self._store = new_store(self._layout, read_only=True)
            node: Node | None = self._store.one(NODES, (self._node,))
        except (StoreUnusable, Unusable):  # the workers report it
            self.close()
            return False
        return node is not None and node.removed_at is not None

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
