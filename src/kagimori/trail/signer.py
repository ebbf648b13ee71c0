"""Has digests signed by the HSM, over the followers' connection, which may do nothing else."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kagimori.deployment.audit_key import AuditKey
from kagimori.rules.chain.digest import ToSign
from kagimori_boundary.frames import BadFrame, Frame, FrameCutter, decode_reply, frame_of
from kagimori_boundary.replies import Bytes

ANSWER_SECONDS_MAX: Final = 20.0
RECEIVE_BYTES_MAX: Final = 64 * 1024


class NotSigned(Exception):
    """The HSM is not there, or did not sign."""


class Signer:
    """Signs for several threads, one after the other. Connects when needed, and anew after trouble.

    The audit key is read with `key` each time: it is wrapped anew when domain keys rotate.
    """

    def __init__(self, socket_path: Path, key: Callable[[], AuditKey]) -> None:
        self._path, self._read_key = socket_path, key
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._asked = 0

    @property
    def fingerprint(self) -> str:
        return self._read_key().fingerprint

    def sign(self, to_sign: ToSign) -> str:
        """Return the signature, lower-case hex.

        Raises:
            NotSigned: there is none.
        """
        command = self._read_key().command(to_sign)
        with self._lock:
            self._asked += 1
            try:
                connection = self._connected()
                connection.sendall(frame_of(self._asked, command))
                reply = decode_reply(self._answer(connection))
            except (OSError, BadFrame) as problem:
                self._hang_up()
                raise NotSigned(f"the HSM does not answer: {problem}") from None
            if not isinstance(reply, Bytes):
                self._hang_up()  # the next connection may be of a process that is admitted
                raise NotSigned("the HSM refused to sign")
        return reply.value.hex()

    def _connected(self) -> socket.socket:
        if self._connection is None:
            self._connection = socket.socket(socket.AF_UNIX)
            self._connection.settimeout(ANSWER_SECONDS_MAX)
            self._connection.connect(str(self._path))
        return self._connection

    def _answer(self, connection: socket.socket) -> bytes:
        cutter = FrameCutter()
        frames: list[Frame] = []
        while not frames:
            part = connection.recv(RECEIVE_BYTES_MAX)
            if not part:
                raise OSError("closed")
            frames = cutter.feed(part)
        answered, content = frames[0]
        if answered != self._asked:
            raise OSError("an answer to something else")
        return content

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
