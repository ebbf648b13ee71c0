"""Room for one more peer: when all places are taken, those that ask nothing give way.

So that peers who connect and stay silent, send a head or a body byte by byte, or do not read their
answers, keep nobody out. One address has a share of the places, never all. A peer whose request is
being answered never gives way; when all places are taken by such, there is still the reserve, where
the health pages are answered and everything else is refused.
"""

from collections.abc import Iterable
from enum import Enum, unique
from typing import Final, Protocol

from kagimori.http.life import State
from kagimori.settings import FrontLimits

# Who gives way first: who is going anyway, has not asked yet, takes long, might ask again.
_ORDER: Final = {
    State.CLOSING: 0,
    State.LINGERING: 0,
    State.STUFFED: 0,
    State.FRESH: 1,
    State.IN_HEAD: 1,
    State.IN_BODY: 2,
    State.IDLE: 3,
}
# So many at once, as a part of all places: to look for them costs as much for one.
_SHARE: Final = 64
RESERVE: Final = 32


@unique
class Place(Enum):
    """The kind of place that a connection has: one of all, one of the reserve, or none."""

    REGULAR = "regular"
    RESERVE = "reserve"
    NONE = "none"


class Peer(Protocol):
    """A connection, or one whose handshake is not done, as far as its place is concerned."""

    peer: str
    place: Place
    state: State
    deadline: float

    def may_give_way(self) -> bool: ...

    def give_way(self) -> None: ...


class Places:
    """The places of one front, and the connections that have them."""

    __slots__ = ("_most", "_most_of_one", "_reserve", "_reserved", "_taken", "_taken_by")

    def __init__(self, limits: FrontLimits, *, reserve: int) -> None:
        self._most = limits.connections
        percent = min(100, limits.peer_connections_percent)
        self._most_of_one = -(-limits.connections * percent // 100)  # rounded up
        self._taken = 0
        self._taken_by: dict[str, int] = {}
        self._reserve = reserve
        self._reserved: dict[Peer, None] = {}  # the oldest first

    def admit(self, newcomer: Peer, others: Iterable[Peer]) -> Place:
        """Return the place of a new connection, after others have given way if need be."""
        if self._has_room_for(newcomer.peer, others):
            self._taken += 1
            self._taken_by[newcomer.peer] = self._taken_by.get(newcomer.peer, 0) + 1
            return Place.REGULAR
        if self._has_reserve():
            self._reserved[newcomer] = None
            return Place.RESERVE
        return Place.NONE

    def hand_over(self, before: Peer, after: Peer) -> None:
        """Give the place of one to another, which is the same peer."""
        after.place, after.peer = before.place, before.peer
        before.place = Place.NONE
        if after.place is Place.RESERVE:
            del self._reserved[before]
            self._reserved[after] = None

    def release(self, connection: Peer) -> None:
        """Take the place of a connection back, which has none then."""
        place, connection.place = connection.place, Place.NONE
        if place is Place.RESERVE:
            del self._reserved[connection]
        elif place is Place.REGULAR:
            self._taken -= 1
            left = self._taken_by[connection.peer] - 1
            if left:
                self._taken_by[connection.peer] = left
            else:
                del self._taken_by[connection.peer]

    def _has_room_for(self, peer: str, others: Iterable[Peer]) -> bool:
        if self._taken_by.get(peer, 0) >= self._most_of_one:
            return self._make_room([one for one in others if one.peer == peer], self._most_of_one)
        return self._taken < self._most or self._make_room(others, self._most)

    def _make_room(self, connections: Iterable[Peer], places: int) -> bool:
        waiting = [
            one
            for one in connections
            if one.place is Place.REGULAR and one.state in _ORDER and one.may_give_way()
        ]
        going = sorted(waiting, key=_rank)[: max(1, places // _SHARE)]
        for one in going:
            one.give_way()
        return bool(going)

    def _has_reserve(self) -> bool:
        if len(self._reserved) < self._reserve:
            return True
        oldest = next((one for one in self._reserved if one.may_give_way()), None)
        if oldest is not None:
            oldest.give_way()
        return oldest is not None


def _rank(peer: Peer) -> tuple[int, float]:
    """Return how soon a peer gives way: among its like, who has waited longest."""
    return _ORDER[peer.state], peer.deadline
