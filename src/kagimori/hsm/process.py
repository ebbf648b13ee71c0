"""Starts, unseals and ends the HSM's process.

The operator speaks over an inherited socket: a blocking conversation, since nothing else can be
done until it is over. When the operator's end closes, the HSM ends.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kagimori_boundary.commands import Command, Hello, Unseal
from kagimori_boundary.frames import (
    PROTOCOL_VERSION,
    BadFrame,
    Frame,
    FrameCutter,
    decode_reply,
    frame_of,
)
from kagimori_boundary.replies import Failed, Failure, Greeting, HsmState, Reply

START_SECONDS_MAX: Final = 20.0
RECEIVE_BYTES_MAX: Final = 64 * 1024


class HsmRefused(Exception):
    """The HSM did not start, or did not do what its operator asked."""


class HsmProcess:
    """A running HSM and the operator's connection to it."""

    def __init__(
        self,
        socket_path: Path,
        seal_key_files: Path | Sequence[Path],
        *,
        journal_file: Path | None = None,
        opener_fd: int | None = None,
        refusal_seconds: int | None = None,
        dev: bool = False,
    ) -> None:
        """Start it; operators can refuse a request for `refusal_seconds`, if these are given."""
        socket_path.unlink(missing_ok=True)
        ours, theirs = socket.socketpair()
        if isinstance(seal_key_files, Path):
            seal_key_files = (seal_key_files,)
        seal_keys = [os.open(file, os.O_RDONLY | os.O_CLOEXEC) for file in seal_key_files]
        openers = () if opener_fd is None else (opener_fd,)
        journal = None if journal_file is None else _opened_to_append(journal_file)
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [
                    # -P: no module is taken from the folder that somebody happens to be in.
                    *(sys.executable, "-P", "-m", "kagimori_hsm"),
                    *("--socket", str(socket_path)),
                    *(part for one in seal_keys for part in ("--seal-key-fd", str(one))),
                    *(part for one in openers for part in ("--opener-fd", str(one))),
                    *("--operator-fd", str(theirs.fileno())),
                    *(("--journal-fd", str(journal)) if journal is not None else ()),
                    *(
                        ("--refusal-seconds", str(refusal_seconds))
                        if refusal_seconds is not None
                        else ()
                    ),
                    *(("--dev",) if dev else ()),
                ],
                pass_fds=(
                    *(*seal_keys, *openers, theirs.fileno()),
                    *(() if journal is None else (journal,)),
                ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=scrubbed_environment(os.environ),
            )
        finally:
            for seal_key in seal_keys:
                os.close(seal_key)
            if journal is not None:
                os.close(journal)
            theirs.close()
        ours.settimeout(START_SECONDS_MAX)
        self._socket = ours
        self.sandbox: tuple[str, ...] = ()
        self.operator_account_id = ""
        self._asked = 0
        self._cutter = FrameCutter()
        self._frames: list[Frame] = []

    def ask(self, command: Command) -> Reply:
        """Return the reply to an operator's command.

        Raises:
            HsmRefused: it failed, or the HSM is gone.
        """
        self._asked += 1
        try:
            self._socket.sendall(frame_of(self._asked, command))
            answered, content = self._frame()
            while answered != self._asked:  # the late reply to a question that was given up
                answered, content = self._frame()
        except (OSError, BadFrame) as problem:
            raise HsmRefused(f"the HSM does not answer: {problem}") from None
        reply = decode_reply(content)
        if isinstance(reply, Failed):
            raise HsmRefused(_WHY.get(reply.failure, f"the HSM refused: {reply.failure.name}"))
        return reply

    def unseal(self, sealed_domains: bytes) -> None:
        """Make the HSM operational with roots that need nobody.

        Raises:
            HsmRefused: no such root opens the domains, they were altered, or a self-test failed.
        """
        if not self.unseal_or_wait(sealed_domains):
            raise HsmRefused("the domains are sealed, and nobody is there who could open them")

    def unseal_or_wait(self, sealed_domains: bytes) -> bool:
        """Show the sealed domains; return whether they are open, or wait for somebody's secret.

        Raises:
            HsmRefused: another seal key and no other root, altered domains, or a failed self-test.
        """
        greeting = self.ask(Hello(PROTOCOL_VERSION))
        if isinstance(greeting, Greeting) and greeting.state is HsmState.ERROR:
            raise HsmRefused(f"the HSM failed its self-test: {greeting.reason}")
        operational = self.ask(Unseal(sealed_domains))
        return self._is_open(operational)

    def is_open_now(self) -> bool:
        """Return whether somebody has opened the domains meanwhile.

        Raises:
            HsmRefused: the HSM is gone.
        """
        return self._is_open(self.ask(Hello(PROTOCOL_VERSION)))

    def _is_open(self, greeting: Reply) -> bool:
        if not isinstance(greeting, Greeting):
            raise HsmRefused("the HSM answered something else")
        self.sandbox = greeting.sandbox
        self.operator_account_id = greeting.operator_account_id
        return greeting.state is HsmState.OPERATIONAL

    def end(self, seconds: float = 5.0) -> None:
        """Let it end, and see that it does."""
        self._socket.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _frame(self) -> tuple[int, bytes]:
        """Return the next reply's correlation id and body; what came of it survives a timeout."""
        while not self._frames:
            part = self._socket.recv(RECEIVE_BYTES_MAX)
            if not part:
                raise OSError("closed")
            self._frames += self._cutter.feed(part)
        return self._frames.pop(0)


def scrubbed_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which the interpreter and the package are found, and no other.

    Secrets, proxies, and what changes how libraries load or trace (LD_PRELOAD, OPENSSL_CONF) are
    none of the HSM's business.
    """
    return {name: environment[name] for name in _KEPT_VARIABLES if name in environment}


def _opened_to_append(journal_file: Path) -> int:
    journal_file.parent.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    return os.open(journal_file, flags, 0o600)


_KEPT_VARIABLES: Final = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")

_WHY: Final = {
    Failure.SEAL_REFUSED: "the seal key does not open this deployment's domains",
    Failure.NOT_OPERATIONAL: "the HSM is in its error state",
}
