"""The configuration of a worker, as JSON on its command line."""

from typing import Any, Final

from msgspec import Struct

from kagimori.hsm.clusters import Cluster
from kagimori.settings import Settings

QUOTAS: Final = "quotas"  # the counts that the workers share, in the folder `run`


class WebIdentityKeys(Struct, frozen=True):
    """JSON Web Keys by issuer (without https://), and whether those of others are fetched."""

    given: dict[str, list[dict[str, Any]]] = {}
    fetches: bool = False


class NodeFacts(Struct, frozen=True):
    """The node that a worker is of: its id, where it answers, and its version of the code."""

    node_id: str = ""
    address: str = ""
    software: str = ""


class WorkerConfig(Struct, frozen=True):
    """Descriptors are inherited; times are seconds since the epoch; roots are PEM texts."""

    data: str
    stream: str
    streams: tuple[str, ...]  # of all workers of this server; the first looks after any others
    hsm_socket: str
    listen_fd: int
    control_fd: int
    regions: tuple[str, ...]
    settings: Settings = Settings()
    certificate: str | None = None
    private_key: str | None = None
    timer: bool = False
    created_at: float = 0.0
    operator_account_id: str = ""
    trust_roots: tuple[str, ...] = ()
    key_store_roots: tuple[str, ...] = ()
    web_identity: WebIdentityKeys = WebIdentityKeys()
    clusters: tuple[Cluster, ...] = ()
    node: NodeFacts = NodeFacts()
    closed_streams: tuple[str, ...] = ()  # their journals lost something, and are not added to
