"""What the supervisor tells a worker, as JSON on its command line."""

from typing import Final

from msgspec import Struct

DRAIN_SECONDS: Final = 20.0


class WorkerConfig(Struct, frozen=True):
    """Descriptors are inherited; times are seconds since the epoch; roots are PEM texts."""

    data: str
    stream: str
    streams: tuple[str, ...]  # of all workers of this server; the first looks after any others
    hsm_socket: str
    listen_fd: int
    control_fd: int
    regions: tuple[str, ...]
    connections: int = 4096
    certificate: str | None = None
    private_key: str | None = None
    dev: bool = False
    timer: bool = False
    created_at: float = 0.0
    trust_roots: tuple[str, ...] = ()
