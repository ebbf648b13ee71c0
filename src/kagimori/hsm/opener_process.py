"""Starts and ends the opener: the process that reaches tokens and other KMSs for the HSM.

The HSM has one end of a socket pair, the opener the other, and so has this process, which reads
nothing from it: an opener that is started again goes on at the same end.
"""

import socket
import subprocess
import sys

import msgspec

from kagimori_boundary.opener_options import OpenerOptions


class OpenerProcess:
    """A running opener; it ends when its standard input closes."""

    def __init__(self, options: OpenerOptions) -> None:
        self._options = options
        self._hsm_end, self._opener_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._process = self._started()

    @property
    def hsm_fd(self) -> int:
        """The descriptor of the HSM's end."""
        return self._hsm_end.fileno()

    def keep(self) -> None:
        """Start it again if it has ended."""
        if self._process.poll() is not None:
            self._close_input()
            self._process = self._started()

    def end(self, seconds: float = 2.0) -> None:
        """Let it end, and see that it does."""
        self._close_input()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._hsm_end.close()
        self._opener_end.close()

    def _started(self) -> "subprocess.Popen[bytes]":
        end = self._opener_end.fileno()
        options = msgspec.structs.replace(self._options, connection_fd=end)
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "kagimori_opener", msgspec.json.encode(options).decode()],
            pass_fds=(end,),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
