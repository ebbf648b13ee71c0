"""The nodes of a deployment, as they are stored."""

from typing import Final

from kagimori.ports import Table
from kagimori.rules.nodes.node import Heartbeat, Lease, Node
from kagimori.rules.nodes.shared_trail import FollowerState, SharedTo, TakenRecord, TrailBlock

_OPEN: Final = "nodes change it all the time, and it decides what nobody may"
NODES: Final = Table("nodes", Node, ("node_id",), makes_callers=False, unguarded=_OPEN)
HEARTBEATS: Final = Table(
    "heartbeats", Heartbeat, ("node_id",), makes_callers=False, unguarded=_OPEN
)
LEASES: Final = Table("leases", Lease, ("name",), makes_callers=False, unguarded=_OPEN)

# The trail among nodes: its lines are believed as far as their chain and signed digests hold.
_CHAINED: Final = "the chain of the trail and its digests hold it"
TRAIL_BLOCKS: Final = Table(
    "trail_blocks", TrailBlock, ("stream", "first"), makes_callers=False, unguarded=_CHAINED
)
SHARED_TO: Final = Table(
    "shared_to", SharedTo, ("stream",), makes_callers=False, unguarded=_CHAINED
)
FOLLOWER_STATES: Final = Table(
    "follower_states", FollowerState, ("name",), makes_callers=False, unguarded=_CHAINED
)
TAKEN_RECORDS: Final = Table(
    "taken_records", TakenRecord, ("event_id",), makes_callers=False, unguarded=_CHAINED
)

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
