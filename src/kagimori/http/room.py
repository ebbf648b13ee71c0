"""Room for one more peer: when all places are taken, those that ask nothing give way.

So that peers who connect and stay silent, send a head or a body byte by byte, or do not read their
answers, keep nobody out: neither callers nor whoever looks at the health pages. A peer whose
request is being answered never gives way.
"""

from typing import TYPE_CHECKING, Final

from kagimori.http.waits import A_BODY, A_HEAD, A_REQUEST, ITS_READER, THE_END

if TYPE_CHECKING:
    from kagimori.http.connection import Connection
    from kagimori.http.exchange import Shared

# Who gives way first: who is going anyway, has not asked yet, takes long, might ask again.
_ORDER: Final = {THE_END: 0, ITS_READER: 0, A_HEAD: 1, A_BODY: 2, A_REQUEST: 3}
# So many at once, as a part of all places: to look for them costs as much for one.
_SHARE: Final = 64


def has_room(shared: "Shared") -> bool:
    """Return whether one more peer may be connected, after others have given way if need be."""
    places = shared.limits.connections
    if len(shared.connections) - shared.leaving < places:
        return True
    waiting = [
        peer for peer in shared.connections if peer.waits_for in _ORDER and peer.may_give_way()
    ]
    going = sorted(waiting, key=_rank)[: max(1, places // _SHARE)]
    for peer in going:
        peer.give_way()
    return bool(going)


def _rank(peer: "Connection") -> tuple[int, float]:
    """Return how soon a peer gives way: among its like, who has waited longest."""
    return _ORDER[peer.waits_for], peer.deadline
