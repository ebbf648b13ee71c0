"""The options of a server whose sockets are bound already."""

from msgspec import Struct

from kagimori.hsm.clusters import Cluster
from kagimori.server.tokens import TokenChild
from kagimori.server.worker_config import WebIdentityKeys
from kagimori.settings import Settings
from kagimori.trail.streams import Registered


class ServeOptions(Struct, frozen=True):
    """Facts and settings that `start` has checked before there is a supervisor.

    `worker_module` is what a worker is started as; `dev_hsm` makes the HSM one for tests.
    `accepts_rollback`: a store that is older than it was is served, and that is recorded.
    """

    url: str
    registered: Registered
    settings: Settings
    certificate: str | None = None
    private_key: str | None = None
    trust_roots: tuple[str, ...] = ()
    key_store_roots: tuple[str, ...] = ()
    web_identity: WebIdentityKeys = WebIdentityKeys()
    worker_module: str = "kagimori"
    software: str = ""
    dev_hsm: bool = False
    token_children: tuple[TokenChild, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    accepts_rollback: bool = False
