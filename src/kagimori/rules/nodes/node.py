"""Nodes as stored: each one's membership, its heartbeat, and the lease that one of them holds.

Three entities, because they change for different reasons. A membership changes when a node joins
or is removed. A heartbeat changes every second and needs no record. The lease changes only when
another node takes it, so its version is the number that fences off whoever held it before.
"""

from typing import Any, Final

from msgspec import Struct

TIME: Final = "time"  # the lease of what time asks for
NOBODY: Final = ""  # the holder of a lease that was given back


class Node(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A member of the deployment; times are seconds since the epoch."""

    node_id: str
    joined_at: float
    removed_at: float | None = None
    version: int = 1


class NodeReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node's report of itself with each heartbeat, by which every node can show all of them.

    `domains` is how far domain keys are, of the node that keeps them. `asked` is how much was asked
    of it in a second of buckets of quotas, by their names in shared memory.
    """

    workers: int = 0
    troubles: tuple[str, ...] = ()
    domains: dict[str, Any] | None = None
    asked: dict[str, float] = {}


class Heartbeat(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node's heartbeat, and what the node says of itself; `version` counts the beats.

    `at` is the node's own clock: it is there to be shown, and nothing is decided by it.
    """

    node_id: str
    at: float
    started_at: float
    address: str = ""
    software: str = ""
    schema: int = 0
    report: NodeReport = NodeReport()
    version: int = 1


class Lease(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The right of one node to do something alone."""

    name: str = TIME
    holder: str = NOBODY
    version: int = 1
