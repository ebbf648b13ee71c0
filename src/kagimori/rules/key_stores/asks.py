"""Requests to the holder of a custom key store that are about the store itself, not about a key.

They never leave the process as they are: the holder makes of them what its store understands.
"""

from msgspec import Struct


class CheckStore(Struct, frozen=True, gc=False):
    """Seal `secret` for the store, after a check that it can be reached with it if `reach`.

    Answers the sealed secret as `Bytes`; empty if there is none to seal, and the one that the store
    has is kept.
    """

    secret: str
    reach: bool

    def __repr__(self) -> str:
        # INVARIANT(no-secret-in-sight)
        return f"CheckStore(reach={self.reach})"


class ConnectStore(Struct, frozen=True, gc=False):
    """Connect to the store with the secret that it has; answers empty `Bytes`."""


class DisconnectStore(Struct, frozen=True, gc=False):
    """Give up the connection; answers empty `Bytes`."""


StoreAsk = CheckStore | ConnectStore | DisconnectStore
