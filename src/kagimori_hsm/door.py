"""The one way in: a Unix socket for workers, an inherited one for the operator.

Frames are read, performed and answered in batches. What takes long (making RSA keys) is done by a
thread beside the loop, so that nobody waits for it but who asked.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import Final, cast

import msgspec

from kagimori_boundary.messages import (
    FRAME_BYTES_MAX,
    FRAME_HEAD_BYTES,
    Command,
    Failed,
    Failure,
    Reply,
)

_HEAD: Final = struct.Struct(">II")
_decode_command = msgspec.msgpack.Decoder(Command).decode
_encode = msgspec.msgpack.Encoder().encode

Perform = Callable[[Command], Reply]


class Connection(asyncio.Protocol):
    """One client: frames in, frames out, in batches."""

    def __init__(
        self,
        perform: Perform,
        is_slow: Callable[[Command], bool],
        on_closed: Callable[[], None] | None = None,
    ) -> None:
        self._perform = perform
        self._is_slow = is_slow
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("socket")
        if peer is not None and not _is_same_user(peer):
            cast("asyncio.Transport", transport).abort()
            return
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._on_closed is not None:
            self._on_closed()

    def data_received(self, data: bytes) -> None:
        data = self._unread + data if self._unread else data
        answers: list[bytes] = []
        start, end = 0, len(data)
        while end - start >= FRAME_HEAD_BYTES:
            length, correlation_id = _HEAD.unpack_from(data, start)
            # INVARIANT(refuse-or-accept): a frame too long is no message of ours; hang up.
            if not FRAME_HEAD_BYTES - 4 <= length <= FRAME_BYTES_MAX:
                self._hang_up()
                return
            if end - start < 4 + length:
                break
            body = data[start + FRAME_HEAD_BYTES : start + 4 + length]
            start += 4 + length
            answer = self._answer(correlation_id, body)
            if answer is not None:
                answers.append(answer)
        self._unread = data[start:]
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))

    def pause_writing(self) -> None:
        # A client that does not read its answers is not listened to either.
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def _answer(self, correlation_id: int, body: bytes) -> bytes | None:
        try:
            command = _decode_command(body)
        except (ValueError, RecursionError):
            return _frame(correlation_id, Failed(Failure.MALFORMED))
        if self._is_slow(command):
            work = asyncio.get_running_loop().run_in_executor(None, self._perform, command)
            work.add_done_callback(lambda done: self._answer_later(correlation_id, done))
            return None
        return _frame(correlation_id, self._perform(command))

    def _answer_later(self, correlation_id: int, done: asyncio.Future[Reply]) -> None:
        if self._transport is not None and not done.cancelled():
            self._transport.write(_frame(correlation_id, done.result()))

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _frame(correlation_id: int, reply: Reply) -> bytes:
    body = _encode(reply)
    return _HEAD.pack(len(body) + 4, correlation_id) + body


def _is_same_user(peer: socket.socket) -> bool:
    """Whether the process at the other end runs as we do.

    Told on Linux; elsewhere the mode of the socket's folder alone keeps others out.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user_id, _ = struct.unpack("3i", credentials)
    return bool(user_id == os.geteuid())
