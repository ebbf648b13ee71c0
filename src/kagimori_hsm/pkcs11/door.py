"""The door of a token process: frames in and out, and every command in the queue for the token.

Only a greeting is answered at once, so that a slow token does not look like a process that hangs.
"""

from functools import partial
from typing import Any, Final

import msgspec

from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken, HsmCommand
from kagimori_boundary.frames import decode_token_command
from kagimori_boundary.replies import Failed, Failure, Greeting, Reply
from kagimori_hsm.door import Connection

_decode_bound_token: Final = msgspec.msgpack.Decoder(BoundToken).decode


class TokenDoor(Connection):
    """One client of the token process."""

    def __init__(self, *connection: Any, greeting: Greeting) -> None:
        super().__init__(*connection)
        self._greeting = greeting

    def _answer(self, correlation_id: int, body: bytes) -> Reply | None:
        try:
            command = decode_token_command(body)
        except (ValueError, RecursionError):
            return Failed(Failure.MALFORMED)
        if isinstance(command, commands.Hello):
            return self._greeting
        work = partial(self._perform, self._role, command)
        if self._slow_lane.submit(payer_of(command), work, partial(self._send, correlation_id)):
            return None
        return Failed(Failure.BUSY)


def payer_of(command: HsmCommand) -> str:
    """Return the account that the token works for, by which the queue is shared out."""
    if isinstance(command, commands.ReEncrypt):
        bound_token = command.source
    else:
        bound_token = getattr(command, "bound_token", b"")
    if not bound_token:
        return command.payer
    try:
        bound: BoundToken = _decode_bound_token(bound_token)
    except ValueError:
        return ""
    return bound.account_id
