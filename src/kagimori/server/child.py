"""A process that the supervisor starts, and the conversation with it.

It is a module of ours with its configuration on the command line. It inherits the deployment's
lock, which is free only when nobody of this server is left.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys

import msgspec

from kagimori.machinery.control import Question, frame
from kagimori.server.worker_config import WorkerConfig
from kagimori.trail.options import TrailConfig


class Child:
    """The process, and the supervisor's end of the socket pair. Made and used on the loop."""

    def __init__(
        self, module: str, config: WorkerConfig | TrailConfig, *, inherits: tuple[int, ...]
    ) -> None:
        ours, theirs = socket.socketpair()
        config = msgspec.structs.replace(config, control_fd=theirs.fileno())
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", module, msgspec.json.encode(config).decode()],
            pass_fds=(theirs.fileno(), *inherits),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        self._socket = ours
        self._writer: asyncio.StreamWriter | None = None

    async def ended(self) -> None:
        """Return once the process has ended."""
        await asyncio.to_thread(self.process.wait)

    async def end(self, seconds: float) -> bool:
        """Wait so long for the process to end, then kill it; return whether it ended by itself."""
        try:
            await asyncio.to_thread(self.process.wait, seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            await self.ended()
            return False
        return True

    def close(self) -> None:
        """Let go of the conversation; the process ends with it."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._socket.close()

    async def _connect(self) -> asyncio.StreamReader:
        reader, self._writer = await asyncio.open_unix_connection(sock=self._socket)
        return reader

    def _say(self, question: Question) -> None:
        """Send a question, unless the process has gone."""
        with contextlib.suppress(OSError, RuntimeError):
            if self._writer is None:
                self._socket.sendall(frame(question))
            else:
                self._writer.write(frame(question))
