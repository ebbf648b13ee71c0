"""Any bytes at the HSM's door: answered, or hung up on; never an exception, never a second answer.

Promise: refuse-or-accept.
"""

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagimori_boundary.commands import Hello
from kagimori_boundary.frames import FRAME_BYTES_MAX, PROTOCOL_VERSION
from kagimori_boundary.replies import Failed, Failure, HsmState, Reply
from kagimori_hsm.door import Connection
from kagimori_hsm.journal import Journal, JournalWriter
from kagimori_hsm.lanes import SlowLane
from kagimori_hsm.module import Module

decode = msgspec.msgpack.Decoder(Reply).decode


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.sent, self.aborted = b"", False

    def get_extra_info(self, name):
        return None

    def write(self, data):
        self.sent += data

    def abort(self):
        self.aborted = True

    def answers(self):
        found, at = [], 0
        while at < len(self.sent):
            length, number = struct.unpack_from(">II", self.sent, at)
            found.append((number, decode(self.sent[at + 8 : at + 4 + length])))
            at += 4 + length
        return found


@pytest.fixture(scope="module")
def module():
    made = Module(bytes(32), memory_locked=False)
    made.self_test()
    return made


def connected(module):
    connection = Connection(module.perform, SlowLane(), module.role_of, JournalWriter(Journal()))
    wire = Wire()
    connection.connection_made(wire)
    return connection, wire


def frame(number, body):
    return struct.pack(">II", len(body) + 4, number) + body


HELLO = msgspec.msgpack.encode(Hello(PROTOCOL_VERSION))


@given(pieces=st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes_are_survived(module, pieces):
    connection, wire = connected(module)
    for piece in pieces:
        connection.data_received(piece)
    for _, reply in wire.answers():
        assert isinstance(reply, Failed) or reply.state is HsmState.SEALED


@given(bodies=st.lists(st.binary(max_size=60) | st.just(HELLO), max_size=5), cut=st.integers(1, 40))
def test_every_frame_is_answered_once_however_it_is_cut(module, bodies, cut):
    connection, wire = connected(module)
    data = b"".join(frame(number, body) for number, body in enumerate(bodies))
    for at in range(0, len(data), cut):
        connection.data_received(data[at : at + cut])
    assert [number for number, _ in wire.answers()] == list(range(len(bodies)))


@given(length=st.integers(FRAME_BYTES_MAX + 1, 2**32 - 1))
def test_a_frame_too_long_ends_the_connection(module, length):
    connection, wire = connected(module)
    connection.data_received(struct.pack(">II", length, 1))
    assert wire.aborted


def test_what_is_no_message_is_called_malformed(module):
    connection, wire = connected(module)
    connection.data_received(frame(7, b"\xc1"))
    assert wire.answers() == [(7, Failed(Failure.MALFORMED))]


@pytest.mark.parametrize("tail", [b"\x91" * 200_000, b"\x81\x01" * 100_000])
def test_a_message_nested_without_end_is_malformed(module, tail):
    connection, wire = connected(module)
    encrypt = b"\x96\x05\xc4\x00\xa0\xc4\x00\x80"  # one item more than the command has
    connection.data_received(frame(3, encrypt + tail))
    assert wire.answers() == [(3, Failed(Failure.MALFORMED))]
