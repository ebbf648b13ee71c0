"""The operator's conversation with the HSM: each question gets its own reply, or none."""

import socket
import struct
import threading

import msgspec
import pytest

from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori_boundary.commands import GenerateRandom
from kagimori_boundary.frames import FrameCutter
from kagimori_boundary.replies import Bytes, Failed, Failure

HEAD = struct.Struct(">II")


@pytest.fixture
def conversation():
    """An operator's end and the far end of its socket; no process."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0.2)
    theirs.settimeout(5)
    operator = HsmProcess.__new__(HsmProcess)
    operator._socket, operator._asked = ours, 0
    operator._cutter, operator._frames = FrameCutter(), []
    yield operator, theirs
    ours.close()
    theirs.close()


def reply(number, value):
    body = msgspec.msgpack.encode(value)
    return HEAD.pack(len(body) + 4, number) + body


def asked(theirs):
    length, number = HEAD.unpack(theirs.recv(HEAD.size, socket.MSG_WAITALL))
    theirs.recv(length - 4, socket.MSG_WAITALL)
    return number


def test_a_reply_in_pieces_is_one(conversation):
    operator, theirs = conversation

    def serve():
        for byte in reply(asked(theirs), Bytes(b"ab")):
            theirs.sendall(bytes((byte,)))

    far_end = threading.Thread(target=serve)
    far_end.start()
    assert operator.ask(GenerateRandom(2)) == Bytes(b"ab")
    far_end.join()


@pytest.mark.parametrize("early", [0, 5, 12])
def test_a_reply_that_comes_too_late_is_not_the_next_questions(conversation, early):
    operator, theirs = conversation
    late = reply(1, Bytes(b"to the first"))
    theirs.sendall(late[:early])
    with pytest.raises(HsmRefused):
        operator.ask(GenerateRandom(1))
    theirs.sendall(late[early:] + reply(2, Bytes(b"to the second")))
    assert operator.ask(GenerateRandom(2)) == Bytes(b"to the second")


@pytest.mark.parametrize("answer", [reply(1, Failed(Failure.INTERNAL)), HEAD.pack(5, 1) + b"\xc1"])
def test_a_refusal_and_nonsense_are_refusals(conversation, answer):
    operator, theirs = conversation
    theirs.sendall(answer)
    with pytest.raises(HsmRefused):
        operator.ask(GenerateRandom(1))


def test_an_end_that_is_gone_is_a_refusal(conversation):
    operator, theirs = conversation
    theirs.close()
    with pytest.raises(HsmRefused):
        operator.ask(GenerateRandom(1))
