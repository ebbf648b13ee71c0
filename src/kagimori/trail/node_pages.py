"""The nodes of a deployment, as its store has them, in the members of ListNodes."""

import time
from pathlib import Path
from typing import Any

from kagimori.deployment.opened import opened
from kagimori.entities.node_tables import HEARTBEATS, LEASES, NODES
from kagimori.machinery.store.admin import AdminStore
from kagimori.rules.chain.stream_names import is_of_node
from kagimori.rules.nodes.node import TIME, Heartbeat, Node
from kagimori.trail.server_pages import Observed, observed_nodes
from kagimori.trail.streams import Streams, known_streams


def nodes_of(data: Path, lease_seconds: float) -> list[dict[str, Any]]:
    """Return the nodes, by their ids.

    How long a heartbeat has stood still is what this node has observed. Only where it does not say
    so, the clocks of two machines do, for people; nothing is decided by it (docs/decisions/0046).

    Raises:
        Unusable: the store cannot be read.
    """
    observed = observed_nodes(data)
    with opened(data, read_only=True) as deployment:
        return _nodes_in(deployment.store, lease_seconds, observed)


def _nodes_in(store: AdminStore, lease_seconds: float, observed: Observed) -> list[dict[str, Any]]:
    beats = {beat.node_id: beat for beat in store.page(HEARTBEATS, (), None, None)}
    lease, streams = store.one(LEASES, (TIME,)), known_streams(store) or {}
    holder = None if lease is None else lease.holder
    return [
        {
            **_shown(node, beats.get(node.node_id), holder, streams, lease_seconds),
            **({} if node.removed_at is not None else observed.get(node.node_id, {})),
        }
        for node in store.page(NODES, (), None, None)
    ]


def _shown(
    node: Node, beat: Heartbeat | None, holder: str | None, streams: Streams, lease_seconds: float
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "NodeId": node.node_id,
        "State": _state(node, beat, lease_seconds),
        "HoldsLease": node.node_id == holder,
        "JoinedAt": node.joined_at,
        "Streams": sorted(name for name in streams if is_of_node(name, node.node_id)),
    }
    if beat is not None:
        shown |= {
            "Address": beat.address,
            "Version": beat.software,
            "SchemaVersion": beat.schema,
            "StartedAt": beat.started_at,
            "HeartbeatAt": beat.at,
            "Workers": beat.report.workers,
            "Troubles": list(beat.report.troubles),
        }
    return shown


def _state(node: Node, beat: Heartbeat | None, lease_seconds: float) -> str:
    if node.removed_at is not None:
        return "REMOVED"
    lives = beat is not None and abs(time.time() - beat.at) <= lease_seconds
    return "LIVE" if lives else "SILENT"
