"""Frames: the same however the bytes are cut, and refused when their length is none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagimori_boundary.commands import GenerateDataKey, GenerateKey, GenerateRandom
from kagimori_boundary.frames import (
    FRAME_BYTES_MAX,
    BadFrame,
    FrameCutter,
    decode_command,
    decode_reply,
    encode,
    frame_of,
)
from kagimori_boundary.replies import Bytes, Failed, Failure


@given(numbers=st.lists(st.integers(0, 2**32 - 1), max_size=5), cut=st.integers(1, 30))
def test_what_was_put_in_comes_out_however_it_is_cut(numbers, cut):
    data = b"".join(frame_of(number, GenerateRandom(1 + number % 1000)) for number in numbers)
    cutter, found = FrameCutter(), []
    for at in range(0, len(data), cut):
        found += cutter.feed(data[at : at + cut])
    assert [(number, decode_command(body).number_of_bytes) for number, body in found] == [
        (number, 1 + number % 1000) for number in numbers
    ]


@pytest.mark.parametrize("length", [0, 3, FRAME_BYTES_MAX + 1, 2**32 - 1])
def test_a_length_out_of_bounds_ends_it(length):
    with pytest.raises(BadFrame):
        FrameCutter().feed(struct.pack(">II", length, 1))


def test_a_reply_that_is_none_is_a_failure():
    assert decode_reply(b"\xc1") == Failed(Failure.INTERNAL)
    assert decode_reply(frame_of(1, Bytes(b"x"))[8:]) == Bytes(b"x")


@pytest.mark.parametrize("count", [-1, 0, 1025, 2**40, 2**64 - 1])
def test_no_message_asks_for_memory_without_bound(count):
    key = ("a", "r", "k", "s", "u", "o")
    for command in (
        GenerateRandom(count),
        GenerateDataKey(b"", count, {}, True),
        GenerateKey(*key, ("r",) * max(101, count % 1000)),
    ):
        with pytest.raises(ValueError, match="Expected"):
            decode_command(encode(command))
