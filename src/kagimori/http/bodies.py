"""How much memory the bodies of requests may take before anybody has looked at a signature.

What has come is counted, not what was announced, from the first byte beyond what each body has free
until the request is answered. One address has a share of it, never all.
"""

from typing import Final

from kagimori.settings import FrontLimits

# So much of each body does not count: who sends no more is never refused for what others send.
FREE_BYTES: Final = 16 * 1024


class Bodies:
    """The bytes of bodies that a front holds, in all and by address."""

    __slots__ = ("_bytes", "_bytes_of", "_most", "_most_of_one")

    def __init__(self, limits: FrontLimits) -> None:
        self._most = limits.bodies_bytes
        self._most_of_one = limits.bodies_bytes * limits.peer_percent // 100
        self._bytes = 0
        self._bytes_of: dict[str, int] = {}

    def hold(self, peer: str, more: int) -> bool:
        """Count bytes that came, or (negative) went; return whether it is not too much."""
        self._bytes += more
        mine = self._bytes_of.get(peer, 0) + more
        if mine:
            self._bytes_of[peer] = mine
        else:
            self._bytes_of.pop(peer, None)
        return more <= 0 or (self._bytes <= self._most and mine <= self._most_of_one)
