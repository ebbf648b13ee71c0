"""The one way in: a Unix socket for workers and followers, an inherited one for the operator.

Frames are read, performed and answered in batches. What takes long goes to a lane beside, so that
nobody waits for it but who asked.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Final, cast

from kagimori_boundary.commands import BecomeCustodian, Command, Lane, Role
from kagimori_boundary.commands.command import FAST
from kagimori_boundary.frames import BadFrame, FrameCutter, decode_command, frame_of
from kagimori_boundary.replies import Failed, Failure, Reply
from kagimori_hsm.journal import JournalWriter
from kagimori_hsm.lanes import SlowLane

Perform = Callable[[Role, Command], Reply]

_CREDENTIALS: Final = struct.Struct("3i")  # process, user, group


class Connection(asyncio.Protocol):
    """One client: frames in, frames out, in batches.

    `role_of` says whose connection it is, by the id of the process at the other end; whoever is at
    the inherited end is the operator. `uses` is the lane for uses of keys that take long.
    """

    def __init__(
        self,
        perform: Perform,
        slow_lane: SlowLane,
        role_of: Callable[[int], Role],
        journal: JournalWriter,
        on_closed: Callable[[], None] | None = None,
        *,
        uses: SlowLane | None = None,
    ) -> None:
        self._perform = perform
        self._slow_lane, self._uses = slow_lane, uses or slow_lane
        self._role_of = role_of
        self._role = Role.WORKER
        self._journal = journal
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._cutter = FrameCutter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("socket")
        process_id, user_id = _peer(peer) if peer is not None else (0, os.geteuid())
        if user_id != os.geteuid():
            cast("asyncio.Transport", transport).abort()
            return
        self._role = self._role_of(process_id)
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._on_closed is not None:
            self._on_closed()

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._cutter.feed(data)
        except BadFrame:
            # INVARIANT(refuse-or-accept): what is no frame of ours is hung up on.
            if self._transport is not None:
                self._transport.abort()
            return
        answers: list[bytes] = []
        for correlation_id, body in frames:
            reply = self._answer(correlation_id, body)
            if reply is not None:
                answers.append(frame_of(correlation_id, reply))
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))

    def pause_writing(self) -> None:
        # A client that does not read its answers is not listened to either.
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def _answer(self, correlation_id: int, body: bytes) -> Reply | None:
        """Return the reply to one command; None if it comes later."""
        try:
            command: Command = decode_command(body)
        except (ValueError, RecursionError):
            return Failed(Failure.MALFORMED)
        if command.__class__ is BecomeCustodian:
            return self._promoted(command)
        lane = command.lane
        if lane is FAST:
            reply = self._perform(self._role, command)
            if not command.is_minting or reply.__class__ is Failed:
                return reply
            self._journal.when_written(partial(self._send_minted, correlation_id, reply))
            return None
        work = partial(self._perform, self._role, command)
        queue = self._uses if lane is Lane.BESIDE else self._slow_lane
        send = self._send_slowly_minted if command.is_minting else self._send
        if queue.submit(command.payer, work, partial(send, correlation_id)):
            return None
        return Failed(Failure.BUSY)

    def _send_slowly_minted(self, correlation_id: int, reply: Reply) -> None:
        """Answer once the journal holds the credentials that were made on a thread."""
        if reply.__class__ is Failed:
            self._send(correlation_id, reply)
        else:
            self._journal.when_written(partial(self._send_minted, correlation_id, reply))

    def _promoted(self, command: Command) -> Reply:
        """Let a worker's connection that shows the custodian key be a custodian's."""
        reply = self._perform(self._role, command)
        if self._role is Role.WORKER and reply.__class__ is not Failed:
            self._role = Role.CUSTODIAN
        return reply

    def _send_minted(self, correlation_id: int, reply: Reply, written: bool) -> None:  # noqa: FBT001
        """Answer new credentials once the journal holds them."""
        self._send(correlation_id, reply if written else Failed(Failure.INTERNAL))

    def _send(self, correlation_id: int, reply: Reply) -> None:
        if self._transport is not None:
            self._transport.write(frame_of(correlation_id, reply))


def _peer(peer: socket.socket) -> tuple[int, int]:
    """Return the process at the other end, and its user.

    Known on Linux; elsewhere the mode of the socket's folder alone keeps others out.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, os.geteuid()
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process_id, user_id, _ = _CREDENTIALS.unpack(credentials)
    return process_id, user_id
