"""Starts and ends a token process: the connection to a PKCS#11 token.

Of the environment it gets what Python needs, and what the settings name for the library.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from kagimori_boundary.token_options import TokenOptions

_HANDED_ON: Final = ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV")


class TokenProcess:
    """A running token process; it ends when this end of its operator's socket closes."""

    def __init__(self, options: TokenOptions, library_environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        options = msgspec.structs.replace(options, operator_fd=theirs.fileno())
        environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [
                    *(sys.executable, "-m", "kagimori_hsm.pkcs11"),
                    msgspec.json.encode(options).decode(),
                ],
                env={**environment, **library_environment},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        finally:
            theirs.close()
        self.socket = ours
        self._socket_path = Path(options.socket_path)

    def end(self, seconds: float = 2.0) -> None:
        """Let it end, and see that it does."""
        self.socket.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._socket_path.unlink(missing_ok=True)
