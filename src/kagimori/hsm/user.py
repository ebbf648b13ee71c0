"""Uses keys at an HSM's socket in a blocking conversation, one command after the other.

The API's workers have `client.py`. This is for commands that work without a server: the HSM that
they start takes uses of keys at its socket alone, never from its operator.
"""

import socket
from pathlib import Path
from typing import Final

from kagimori.hsm.process import HsmRefused
from kagimori_boundary.commands import Command
from kagimori_boundary.frames import BadFrame, FrameCutter, decode_reply, frame_of
from kagimori_boundary.replies import Reply

ANSWER_SECONDS_MAX: Final = 60.0
RECEIVE_BYTES_MAX: Final = 64 * 1024


class HsmUser:
    """One connection to a running HSM, with a worker's rights."""

    def __init__(self, socket_path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_SECONDS_MAX)
        self._cutter = FrameCutter()
        self._asked = 0
        try:
            self._socket.connect(str(socket_path))
        except OSError as problem:
            self._socket.close()
            raise HsmRefused(f"the HSM's socket cannot be used: {problem.strerror}") from None

    def perform(self, command: Command) -> Reply:
        """Return the reply to a command; a `Failed` is returned, not raised.

        Raises:
            HsmRefused: the HSM is gone, or does not answer.
        """
        self._asked += 1
        try:
            self._socket.sendall(frame_of(self._asked, command))
            return decode_reply(self._answer())
        except (OSError, BadFrame) as problem:
            raise HsmRefused(f"the HSM does not answer: {problem}") from None

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _answer(self) -> bytes:
        while part := self._socket.recv(RECEIVE_BYTES_MAX):
            for answered, body in self._cutter.feed(part):
                if answered == self._asked:
                    return body
        raise OSError("closed")
