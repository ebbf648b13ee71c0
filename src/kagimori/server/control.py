"""The conversation of supervisor and worker: framed messages over a socket pair.

A frame is its length in four bytes, then JSON. A question has a number and its answer the same, so
that what comes late, or is of any content, is never taken for the answer to another one.
"""

import asyncio
import struct
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
_LENGTH: Final = struct.Struct("!I")

T = TypeVar("T", bound=Struct)


class Question(Struct, frozen=True):
    """A message of the supervisor to a worker: `snapshot` or `drain`."""

    number: int
    asked: str


class Answer(Struct, frozen=True):
    """A worker's answer; number 0 is what it says by itself: that it serves, or why not."""

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
