"""The nodes of a deployment, as they are stored."""

from typing import Final

from kagimori.ports import Table
from kagimori.rules.nodes.node import Heartbeat, Lease, Node
from kagimori.rules.nodes.shared_trail import FollowerState, SharedTo, TakenRecord, TrailBlock

NODES: Final = Table("nodes", Node, ("node_id",))
HEARTBEATS: Final = Table("heartbeats", Heartbeat, ("node_id",))
LEASES: Final = Table("leases", Lease, ("name",))
# The trail among nodes.
TRAIL_BLOCKS: Final = Table("trail_blocks", TrailBlock, ("stream", "first"))
SHARED_TO: Final = Table("shared_to", SharedTo, ("stream",))
FOLLOWER_STATES: Final = Table("follower_states", FollowerState, ("name",))
TAKEN_RECORDS: Final = Table("taken_records", TakenRecord, ("event_id",))

# What is noted without a record: about the nodes themselves, and what is a copy of records.
NOTED: Final = frozenset(
    table.name for table in (HEARTBEATS, TRAIL_BLOCKS, SHARED_TO, FOLLOWER_STATES)
)
NODE_TABLES: Final = (
    NODES,
    HEARTBEATS,
    LEASES,
    TRAIL_BLOCKS,
    SHARED_TO,
    FOLLOWER_STATES,
    TAKEN_RECORDS,
)
