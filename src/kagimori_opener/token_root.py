"""A root that is a key in a PKCS#11 token: a token process wraps and unwraps, then ends.

The process that loads the library is the same as for custom key stores; the opener starts one of
its own for each question, so that no session stays open between them.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from kagimori_boundary.commands.token import TokenCommand, UnwrapSecret, WrapSecret
from kagimori_boundary.frames import BadFrame, FrameCutter, decode_reply, frame_of
from kagimori_boundary.opener import Parameters, Trouble
from kagimori_boundary.replies import Bytes, Failed, Failure, Reply
from kagimori_boundary.token_options import TokenOptions
from kagimori_opener.root import NotReached

PURPOSE: Final = "seal"
SECONDS_MAX: Final = 12.0
_HANDED_ON: Final = ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV")
_TROUBLES: Final = {
    Failure.INVALID_CIPHERTEXT: Trouble.WRONG,
    Failure.TOKEN_REFUSED: Trouble.WRONG,
    Failure.FORBIDDEN: Trouble.REFUSED,
}


class TokenRoot:
    """Keys in the tokens that the settings name."""

    def __init__(
        self, named: Mapping[str, TokenOptions], environment: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._named, self._environment = named, environment

    def wrap(self, parameters: Parameters, secret: bytes) -> bytes:
        """Return a secret, wrapped with a key in the token; it is made at the first use.

        Raises:
            NotReached: it was not.
        """
        return self._ask(parameters, WrapSecret(PURPOSE, secret))

    def unwrap(self, parameters: Parameters, wrapped: bytes) -> bytes:
        """Return the secret.

        Raises:
            NotReached: it was not unwrapped.
        """
        return self._ask(parameters, UnwrapSecret(PURPOSE, wrapped))

    def _ask(self, parameters: Parameters, command: TokenCommand) -> bytes:
        name = str(parameters.get("root", ""))
        options = self._named.get(name)
        if options is None:
            raise NotReached(Trouble.UNKNOWN, f"the settings name no token {name!r}")
        with tempfile.TemporaryDirectory(prefix="kagimori-") as folder:
            reply = self._answer(options, self._environment.get(name, {}), command, folder)
        if isinstance(reply, Bytes):
            return reply.value
        failure = reply.failure if isinstance(reply, Failed) else Failure.INTERNAL
        trouble = _TROUBLES.get(failure, Trouble.UNREACHABLE)
        raise NotReached(trouble, f"the token {name} refused: {failure.name}")

    def _answer(
        self,
        options: TokenOptions,
        environment: Mapping[str, str],
        command: TokenCommand,
        folder: str,
    ) -> Reply:
        ours, theirs = socket.socketpair()
        options = msgspec.structs.replace(
            options,
            socket_path=str(Path(folder) / "token.sock"),
            operator_fd=theirs.fileno(),
        )
        handed_on = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "kagimori_hsm.pkcs11", msgspec.json.encode(options).decode()],
            env={**handed_on, **environment},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        try:
            return _answer_of(ours, command)
        finally:
            ours.close()  # with it the process ends
            try:
                process.wait(SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answer_of(connection: socket.socket, command: TokenCommand) -> Reply:
    connection.settimeout(SECONDS_MAX)
    cutter = FrameCutter()
    try:
        connection.sendall(frame_of(1, command))
        while True:
            part = connection.recv(65536)
            if not part:
                raise NotReached(Trouble.UNREACHABLE, "the token process has ended")
            for _, body in cutter.feed(part):
                return decode_reply(body)
    except (OSError, BadFrame) as problem:
        raise NotReached(Trouble.UNREACHABLE, f"the token does not answer: {problem}") from None
