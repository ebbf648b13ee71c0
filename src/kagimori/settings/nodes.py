"""Settings of nodes that share a store."""

from typing import Annotated

from kagimori.settings.about import About, Section


class Nodes(Section, frozen=True):
    """Several nodes on one store."""

    heartbeat_seconds: Annotated[
        float, About("Between two heartbeats of a node.", least=0.2, most=60)
    ] = 1.0
    lease_seconds: Annotated[
        float,
        About(
            "How long a node's heartbeat stands still before others take over what it did alone: "
            "what time asks for, and records that it could not write. Several heartbeats.",
            least=2,
            most=3600,
        ),
    ] = 10.0
