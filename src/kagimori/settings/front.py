"""Settings of the front door: limits of connections, heads and bodies."""

from typing import Annotated

from kagimori.settings.about import About, Section


class FrontLimits(Section, frozen=True):
    """Limits of one connection, and of all connections of a worker.

    Sizes are bytes on the wire. Times are checked by a sweep once a second (more often when a
    limit is shorter than that), so each may be exceeded by one sweep.
    """

    head_bytes: Annotated[
        int, About("Request line and headers together; beyond it 431.", least=1024)
    ] = 32 * 1024
    headers: Annotated[int, About("Header lines in one head; beyond it 431.", least=10)] = 100
    body_bytes: Annotated[int, About("A body, decoded; beyond it 413.", least=64 * 1024)] = (
        1024 * 1024
    )
    header_seconds: Annotated[
        float,
        About(
            "From a head's first byte to its last (for the first one: from the connection); "
            "then 408.",
            least=0.1,
        ),
    ] = 10.0
    body_seconds: Annotated[
        float, About("From the end of a head to the end of its body; then 408.", least=0.1)
    ] = 30.0
    idle_seconds: Annotated[
        float,
        About(
            "Between requests, and for a peer that does not read its answers; then a silent close.",
            least=0.1,
        ),
    ] = 75.0
    linger_seconds: Annotated[
        float,
        About(
            "How long a refused peer's remaining bytes are read and dropped, so that it sees why.",
            least=0,
        ),
    ] = 2.0
    connections: Annotated[
        int,
        About(
            "Open connections for each worker, at most; one more takes the place of one that asks "
            "nothing, or is answered 503.",
            least=1,
            flag="--connections",
        ),
    ] = 4096
    peer_connections_percent: Annotated[
        int,
        About(
            "How many of them one address may have (of IPv6: one /64 network), in percent; one "
            "more takes the place of its own, or is answered 503. 100 behind a proxy.",
            least=1,
            most=100,
        ),
    ] = 75
    bodies_bytes: Annotated[
        int,
        About(
            "All unfinished and unanswered bodies of a worker together, without the first 16 KiB "
            "of each; beyond it 503.",
            least=1024 * 1024,
        ),
    ] = 128 * 1024 * 1024
    peer_percent: Annotated[
        int,
        About(
            "How much of that one address may have (of IPv6: one /64 network), in percent.", least=1
        ),
    ] = 75
    pipelined: Annotated[
        int,
        About("Requests in flight on one connection before it is no longer read.", least=1),
    ] = 64

    def sweep_seconds(self) -> float:
        """Return how often deadlines are to be looked at."""
        shortest = min(self.header_seconds, self.body_seconds, self.idle_seconds)
        return min(1.0, max(0.01, shortest / 4))
