"""Frames between the service and the HSM, cut and made without I/O: version 1 of the protocol.

    length (4 bytes, big-endian) | correlation id (4 bytes) | MessagePack

The length counts what follows it. Many commands may be in flight on one connection; each is
answered once, in any order, under its correlation id.
"""

import struct
from typing import Final

import msgspec

from kagimori_boundary.commands import Command, HsmCommand
from kagimori_boundary.commands.token import TokenCommand
from kagimori_boundary.replies import Failed, Failure, Reply

PROTOCOL_VERSION: Final = 1
# A command carries at most one Decrypt input or one imported key: far below this.
FRAME_BYTES_MAX: Final = 256 * 1024

_HEAD: Final = struct.Struct(">II")
_HEAD_BYTES: Final = _HEAD.size
_LENGTH_BYTES: Final = 4
_ID_BYTES: Final = _HEAD_BYTES - _LENGTH_BYTES

encode: Final = msgspec.msgpack.Encoder().encode
decode_command: Final = msgspec.msgpack.Decoder(Command).decode
decode_token_command: Final = msgspec.msgpack.Decoder(TokenCommand).decode
_decode_reply: Final = msgspec.msgpack.Decoder(Reply).decode

Frame = tuple[int, bytes]  # correlation id, body


class BadFrame(Exception):
    """A length that no frame of this protocol has; nothing after it can be understood."""


def frame_of(correlation_id: int, message: HsmCommand | Reply) -> bytes:
    """Return a message as it goes over the wire."""
    body = encode(message)
    return _HEAD.pack(len(body) + _ID_BYTES, correlation_id) + body


class FrameCutter:
    """Cuts a stream of bytes into frames, however the bytes arrive."""

    __slots__ = ("_unread",)

    def __init__(self) -> None:
        self._unread = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are whole now, in order.

        Raises:
            BadFrame: a length out of bounds; the frames before it are lost with the connection.
        """
        if self._unread:
            data = self._unread + data
        frames: list[Frame] = []
        start, end = 0, len(data)
        while end - start >= _HEAD_BYTES:
            length, correlation_id = _HEAD.unpack_from(data, start)
            if not _ID_BYTES <= length <= FRAME_BYTES_MAX:
                raise BadFrame
            after = start + _LENGTH_BYTES + length
            if end < after:
                break
            frames.append((correlation_id, data[start + _HEAD_BYTES : after]))
            start = after
        self._unread = data[start:]
        return frames


def decode_reply(body: bytes) -> Reply:
    """Return a decoded reply; undecodable bytes count as a failure of the HSM."""
    try:
        reply: Reply = _decode_reply(body)
    except ValueError:
        return Failed(Failure.INTERNAL)
    return reply
