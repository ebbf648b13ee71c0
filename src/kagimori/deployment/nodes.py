"""Membership of a node, as a start of a server makes it, and the lease of what time asks for."""

import time
from collections.abc import Sequence

from kagimori.deployment.folder import Unusable
from kagimori.entities.node_tables import LEASES, NODES
from kagimori.machinery.store.admin import AdminStore
from kagimori.ports import Put
from kagimori.rules.entity import changed
from kagimori.rules.nodes.node import TIME, Lease, Node


def membership(store: AdminStore, node_id: str, *, alone: bool) -> Sequence[Put]:
    """Return the changes by which a node is a member, and does what time asks for if it is alone.

    `alone`: the store is this folder's, so nobody else can be doing it now. Among others a node
    waits until nobody does (`server/lease_keeper.py`).

    Raises:
        Unusable: the node was removed.
        StoreUnusable: the store cannot be read.
    """
    node: Node | None = store.one(NODES, (node_id,))
    if node is not None and node.removed_at is not None:
        raise Unusable(
            f"node {node_id} was removed from the deployment; join again with a new data folder"
        )
    lease: Lease | None = store.one(LEASES, (TIME,))
    writes: list[Put] = []
    if node is None:
        writes.append(Put(NODES, Node(node_id=node_id, joined_at=round(time.time(), 3))))
    if not alone:
        return writes
    if lease is None:
        writes.append(Put(LEASES, Lease(holder=node_id)))
    elif lease.holder != node_id:
        writes.append(Put(LEASES, changed(lease, holder=node_id), lease))
    return writes
