"""The conversation of the supervisor and a child: framed messages over a socket pair.

A frame is its length in four bytes, then JSON. A question has a number and its answer the same, so
that what comes late, or is of any content, is never taken for the answer to another one.
"""

import asyncio
import socket
import struct
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
SAY_SECONDS_MAX: Final = 10.0
_LENGTH: Final = struct.Struct("!I")

T = TypeVar("T", bound=Struct)


class Question(Struct, frozen=True):
    """A message of the supervisor to a child: `snapshot`, `drain`, `begin` or `finish`."""

    number: int
    asked: str


class Answer(Struct, frozen=True):
    """A child's answer; number 0 is what it says by itself: that it serves, or why not."""

    number: int
    refused: str | None = None
    value: Any = None


class BadMessage(ValueError):
    """Not a frame of this conversation; nothing after it can be understood."""


def frame(message: Question | Answer) -> bytes:
    """Return a message as it goes over the socket."""
    content = msgspec.json.encode(message)
    return _LENGTH.pack(len(content)) + content


async def read_question(reader: asyncio.StreamReader) -> Question:
    """Return the next question.

    Raises:
        BadMessage: not one.
        asyncio.IncompleteReadError, OSError: the other end is gone.
    """
    return _decoded(await _content(reader), Question)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Return the next answer.

    Raises:
        BadMessage: not one.
        asyncio.IncompleteReadError, OSError: the other end is gone.
    """
    return _decoded(await _content(reader), Answer)


class Talk:
    """The child's end for a process without a loop: questions in, answers out."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()

    def next_question(self, seconds: float | None) -> Question | None:
        """Return the next question; None if none comes within so many seconds (None: wait).

        Raises:
            EOFError, OSError: the supervisor is gone.
            BadMessage: not a question.
        """
        self._connection.settimeout(seconds)
        while (question := self._cut()) is None:
            try:
                part = self._connection.recv(65536)
            except TimeoutError:
                return None
            if not part:
                raise EOFError("the supervisor is gone")
            self._received += part
        return question

    def say(self, answer: Answer) -> None:
        """Send an answer.

        Raises:
            OSError: the supervisor is gone, or does not listen.
        """
        self._connection.settimeout(SAY_SECONDS_MAX)
        self._connection.sendall(frame(answer))

    def _cut(self) -> Question | None:
        received = self._received
        if len(received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(received)
        if length > FRAME_BYTES_MAX:
            raise BadMessage("a frame is too long")
        end = _LENGTH.size + length
        if len(received) < end:
            return None
        content = bytes(received[_LENGTH.size : end])
        del received[:end]
        return _decoded(content, Question)


async def _content(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > FRAME_BYTES_MAX:
        raise BadMessage("a frame is too long")
    return await reader.readexactly(length)


def _decoded(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError):
        raise BadMessage("not a message") from None
