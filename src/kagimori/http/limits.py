"""What the front door allows: sizes, counts and times. Values only."""

from msgspec import Struct


class FrontLimits(Struct, frozen=True):
    """Bounds on what one connection, and all of them, may ask of the front.

    Sizes are bytes on the wire. Times are checked by a sweep once a second (more often when a
    limit is shorter than that), so each may be exceeded by one sweep.
    """

    head_bytes: int = 32 * 1024
    """Request line and headers together; beyond it 431."""
    headers: int = 100
    """Header lines in one head; beyond it 431."""
    body_bytes: int = 1024 * 1024
    """A body, decoded; beyond it 413."""
    header_seconds: float = 10.0
    """From a head's first byte to its last (for the first one: from the connection); then 408."""
    body_seconds: float = 30.0
    """From the end of a head to the end of its body; then 408."""
    idle_seconds: float = 75.0
    """Between requests, and for a peer that does not read its answers; then a silent close."""
    linger_seconds: float = 2.0
    """How long a refused peer's remaining bytes are read and dropped, so that it sees why."""
    connections: int = 4096
    """Open at once; one more is answered 503."""
    pipelined: int = 64
    """Requests in flight on one connection before it is no longer read."""

    def sweep_seconds(self) -> float:
        """Return how often deadlines are to be looked at."""
        shortest = min(self.header_seconds, self.body_seconds, self.idle_seconds)
        return min(1.0, max(0.01, shortest / 4))
