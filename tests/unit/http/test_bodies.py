"""The memory for bodies: counted as they come, one address has a share, small ones are free."""

from kagimori.rules.request import RawAnswer
from kagimori.settings import FrontLimits
from unit.http.test_http import Door, Transport

MIB = 1024 * 1024


class From(Transport):
    """A peer at some address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def get_extra_info(self, name, default=None):
        return (self.address, 1) if name == "peername" else None


def crowd(limits):
    """Return a door to which nobody has come yet."""
    door = Door(limits)
    door.connection.connection_lost(None)
    return door


def join(door, address):
    transport = From(address)
    return transport, door.connect(transport)


def begun(door, address, size, *, chunked=False):
    """Send all but the last byte of a body."""
    transport, connection = join(door, address)
    if chunked:
        connection.data_received(
            b"POST / HTTP/1.1\r\nHost: kms\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.data_received(b"%x\r\n" % size + b"x" * (size - 1))
    else:
        head = b"POST / HTTP/1.1\r\nHost: kms\r\nContent-Length: %d\r\n\r\n" % size
        connection.data_received(head)
        connection.data_received(b"x" * (size - 1))
    return transport, connection


def test_bodies_of_one_address_have_a_share_of_the_memory():
    limits = FrontLimits(bodies_bytes=4 * MIB)
    for chunked in (False, True):
        door = crowd(limits)
        sent = [begun(door, "192.0.2.1", MIB - 100, chunked=chunked)[0] for _ in range(6)]
        refused = [t.out.startswith(b"HTTP/1.1 503 ") for t in sent]
        assert refused == [False] * 3 + [True] * 3
        other, connection = begun(door, "192.0.2.2", MIB - 100, chunked=chunked)
        assert other.out == b""
        connection.data_received(b"x" + b"\r\n0\r\n\r\n" * chunked)
        assert other.out.startswith(b"HTTP/1.1 200 ")


def test_what_is_announced_and_not_sent_costs_nobody_anything():
    door = crowd(FrontLimits(bodies_bytes=MIB))
    for _ in range(50):
        _, connection = join(door, "192.0.2.1")
        connection.data_received(b"POST / HTTP/1.1\r\nHost: kms\r\nContent-Length: 1000000\r\n\r\n")
    assert begun(door, "192.0.2.1", 500_000)[0].out == b""


def test_a_small_body_is_never_refused_for_others():
    door = crowd(FrontLimits(bodies_bytes=MIB, peer_percent=100))
    begun(door, "192.0.2.1", MIB - 100)
    assert begun(door, "192.0.2.1", 200_000)[0].out.startswith(b"HTTP/1.1 503 ")
    transport, connection = begun(door, "192.0.2.1", 16_000)
    connection.data_received(b"x")
    assert transport.out.startswith(b"HTTP/1.1 200 ")


def test_what_was_held_is_free_again():
    door = crowd(FrontLimits(bodies_bytes=MIB, peer_percent=100))
    for end in (
        lambda c: c.data_received(b"x"),
        lambda c: c.connection_lost(None),
        lambda c: (c.data_received(b"x"), c.connection_lost(None)),
    ):
        transport, connection = begun(door, "192.0.2.1", MIB - 100)
        assert transport.out == b""
        end(connection)
    held = Door(FrontLimits(bodies_bytes=MIB, peer_percent=100), hold=True)
    _, connection = begun(held, "192.0.2.1", MIB - 100)
    connection.data_received(b"x")
    assert begun(held, "192.0.2.1", MIB - 100)[0].out.startswith(b"HTTP/1.1 503 "), "unanswered"
    connection.connection_lost(None)
    held.held[0](RawAnswer(200, b""))
    assert begun(held, "192.0.2.1", MIB - 100)[0].out == b""
