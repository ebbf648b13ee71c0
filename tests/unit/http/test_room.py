"""One address has a share of the places, and health pages are answered when all are taken."""

import pytest

from kagimori.http.peer import network_of
from kagimori.http.room import RESERVE
from kagimori.rules.request import RawAnswer
from kagimori.settings import FrontLimits
from unit.http.test_bodies import From
from unit.http.test_http import GET, Door, bodies

PAGES = frozenset({b"/healthz", b"/readyz"})
ONE, OTHER, THIRD = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class Crowd:
    """A front to which peers of any address come; who is closed is gone at once."""

    def __init__(self, limits, *, pages=frozenset()):
        self.door = Door(limits, hold=True, reserve_pages=pages)
        self.door.connection.connection_lost(None)
        self.peers = []

    def join(self, address, sent=b""):
        transport = From(address)
        connection = self.door.connect(transport)
        self.peers.append((transport, connection))
        if sent and not transport.closed:
            connection.data_received(sent)
        self.forget_the_gone()
        return transport, connection

    def forget_the_gone(self):
        for transport, connection in self.peers:
            if transport.closed:
                connection.connection_lost(None)
        self.peers = [one for one in self.peers if not one[0].closed]

    def count(self, address):
        return sum(transport.address == address for transport, _ in self.peers)


def refused(transport):
    return transport.out.startswith(b"HTTP/1.1 503 ")


def page(target):
    return b"GET " + target + b" HTTP/1.1\r\nHost: kms\r\n\r\n"


@pytest.mark.parametrize(("places", "share"), [(1, 1), (2, 2), (3, 3), (4, 3), (4096, 3072)])
def test_an_address_has_three_quarters_of_the_places(places, share):
    crowd = Crowd(FrontLimits(connections=places))
    joined = [crowd.join(ONE, GET)[0] for _ in range(share + 1)]
    assert [refused(one) for one in joined] == [False] * share + [True]
    assert crowd.count(ONE) == share


def test_silent_peers_of_one_address_do_not_make_others_give_way():
    crowd = Crowd(FrontLimits(connections=100))
    others = [crowd.join(OTHER)[0] for _ in range(20)]
    for _ in range(4000):
        crowd.join(ONE)
    assert not any(one.closed for one in others)
    assert crowd.count(ONE) <= 75
    assert not refused(crowd.join(ONE)[0]), "its own give way to the newest"


def test_one_that_asks_too_much_at_once_keeps_only_itself_out():
    crowd = Crowd(FrontLimits(connections=8))
    for _ in range(6):
        crowd.join(ONE, GET)
    assert refused(crowd.join(ONE)[0])
    for _ in range(2):
        assert not refused(crowd.join(OTHER, GET)[0])
    # Now all places have requests in flight: nobody gives way, and nobody has room.
    assert refused(crowd.join(THIRD)[0])


def test_places_are_counted_right_after_any_end():
    crowd = Crowd(FrontLimits(connections=4))
    for _ in range(50):
        transport, connection = crowd.join(ONE, GET)
        crowd.door.held.pop()(RawAnswer(200, b"x"))
        connection.abort()
        crowd.forget_the_gone()
        assert transport.closed
    for _ in range(3):
        assert not refused(crowd.join(ONE, GET)[0])
    assert refused(crowd.join(ONE)[0])
    assert not refused(crowd.join(OTHER)[0])


def test_the_networks_of_ipv6_count_as_one_peer():
    crowd = Crowd(FrontLimits(connections=4))
    joined = [crowd.join(f"2001:db8:0:1::{number:x}", GET)[0] for number in range(4)]
    assert [refused(one) for one in joined] == [False, False, False, True]
    assert not refused(crowd.join("2001:db8:0:2::1", GET)[0])


@pytest.mark.parametrize("address", ["", "unix", "192.0.2.1", "fe80::1%eth0", "::1", "::"])
def test_any_address_has_a_network(address):
    assert network_of(address) == network_of(address)
    assert (network_of(address) == address) is (":" not in address)


def test_health_pages_are_answered_when_every_place_has_a_request_in_flight():
    crowd = Crowd(FrontLimits(connections=2, peer_connections_percent=100), pages=PAGES)
    for _ in range(2):
        crowd.join(ONE, GET)
    for target in sorted(PAGES):
        transport, _ = crowd.join(OTHER, page(target))
        crowd.door.held.pop()(RawAnswer(200, b"alive"))
        assert bodies(transport.out) == [b"alive"]
        assert b"Connection: close" in transport.out
        crowd.forget_the_gone()
    transport, _ = crowd.join(OTHER, page(b"/elsewhere"))
    assert refused(transport)
    assert len(crowd.door.held) == 2, "no request of the reserve went further"
    assert crowd.door.refused == [503]


def test_silent_peers_do_not_keep_others_from_the_reserve():
    crowd = Crowd(FrontLimits(connections=1, peer_connections_percent=100), pages=PAGES)
    crowd.join(ONE, GET)
    for _ in range(10 * RESERVE):
        crowd.join(ONE)
    assert crowd.count(ONE) == 1 + RESERVE
    transport, _ = crowd.join(ONE, page(b"/readyz"))
    crowd.door.held.pop()(RawAnswer(200, b"ready"))
    assert bodies(transport.out) == [b"ready"]


def test_only_one_request_is_answered_on_a_connection_of_the_reserve():
    crowd = Crowd(FrontLimits(connections=1), pages=PAGES)
    crowd.join(ONE, GET)
    transport, _ = crowd.join(OTHER, page(b"/healthz") * 3)
    assert len(crowd.door.held) == 2
    crowd.door.held.pop()(RawAnswer(200, b"alive"))
    assert transport.out.count(b"HTTP/1.1") == 1
