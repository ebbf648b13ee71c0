"""Messages between the HSM and the opener: the process that reaches tokens and other KMSs for it.

The HSM opens no files and no connections. For the roots that need some it asks the opener, over a
socket pair (datagrams, so that each message is whole): wrap these bytes, or give back the bytes
that were wrapped. A question has a number, and its answer the same, so that a late answer is never
taken for another one; an opener that was started again goes on at the same end of the pair.
"""

from enum import IntEnum
from typing import Final

import msgspec
from msgspec import Struct

MESSAGE_BYTES_MAX: Final = 64 * 1024
ANSWER_SECONDS_MAX: Final = 15.0

Parameters = dict[str, str | int]


class Wrap(Struct, frozen=True, array_like=True, tag=1):
    """Encrypt bytes under a root of this kind; `parameters` say which."""

    number: int
    kind: str
    parameters: Parameters
    secret: bytes


class Unwrap(Struct, frozen=True, array_like=True, tag=2):
    """Decrypt the bytes that `Wrap` was answered with."""

    number: int
    kind: str
    parameters: Parameters
    wrapped: bytes


class Trouble(IntEnum):
    """The reason why the opener has no answer."""

    UNKNOWN = 1  # no such token or endpoint in the settings, or parameters that name none
    UNREACHABLE = 2  # it does not answer now
    REFUSED = 3  # wrong PIN, no permission, a disabled key
    WRONG = 4  # it does not open what was wrapped


class Done(Struct, frozen=True, array_like=True, tag=3):
    number: int
    value: bytes


class NotDone(Struct, frozen=True, array_like=True, tag=4):
    """`why` is for the log and holds no secret."""

    number: int
    trouble: Trouble
    why: str


Question = Wrap | Unwrap
Answer = Done | NotDone

encode: Final = msgspec.msgpack.Encoder().encode
decode_question: Final = msgspec.msgpack.Decoder(Question).decode
decode_answer: Final = msgspec.msgpack.Decoder(Answer).decode
