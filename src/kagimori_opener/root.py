"""The roots that the opener reaches: one form for all kinds."""

from typing import Protocol

from kagimori_boundary.opener import Parameters, Trouble


class NotReached(Exception):
    """A root did not do it; the reason holds no secret."""

    def __init__(self, trouble: Trouble, why: str) -> None:
        super().__init__(why)
        self.trouble, self.why = trouble, why


class Root(Protocol):
    """One kind of root. Both raise `NotReached`."""

    def wrap(self, parameters: Parameters, secret: bytes) -> bytes:
        """Return a secret, wrapped by the root that the parameters name."""

    def unwrap(self, parameters: Parameters, wrapped: bytes) -> bytes:
        """Return the secret that was wrapped."""
