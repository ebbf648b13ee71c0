"""A child of the HSM that checks imported RSA pairs, so that nobody else waits for the check.

The library holds the interpreter's lock for the whole check (up to 0.2 s), so a thread would not
do. The child is forked before the first secret is read: it holds no domain key, no seal key and no
descriptor of the HSM, and is not dumpable from its first moment, since that is inherited. What it
is sent crosses a socket pair that has no name. It ends when the HSM's end of the pair closes.
"""

import contextlib
import os
import signal
import socket
import struct
import sys
import threading
from typing import Final, NoReturn

from kagimori_hsm.memory import protect
from kagimori_sandbox import landlock, seccomp

CHECK_SECONDS_MAX: Final = 10.0

_LENGTH: Final = struct.Struct(">I")
_VALID, _INVALID = b"\x01", b"\x00"
_STDERR: Final = 2
# Whoever imports a key can wait a little; all others share the processor with the check.
_NICENESS: Final = 10


class RsaChecker:
    """The HSM's end: asks the child, and does the check itself where there is none."""

    def __init__(self, child: int, end: socket.socket) -> None:
        self._child = child
        self._end: socket.socket | None = end
        self._asking = threading.Lock()
        end.settimeout(CHECK_SECONDS_MAX)

    @classmethod
    def forked(cls) -> "RsaChecker":
        """Start the child. The caller has no thread, no secret, and is `protect`ed."""
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            _become_child(theirs)
        theirs.close()
        return cls(child, ours)

    def is_valid_pair(self, der: bytes) -> bool:
        """Return whether a PKCS#8 DER is an RSA pair whose numbers are right, primes included."""
        with self._asking:
            answer = self._ask(der)
        return _is_valid_pair(der) if answer is None else answer

    def _ask(self, der: bytes) -> bool | None:
        if self._end is None:
            return None
        try:
            self._end.sendall(_LENGTH.pack(len(der)) + der)
            answer = self._end.recv(1)
        except OSError:
            answer = b""
        if answer:
            return answer == _VALID
        self._end_child()
        return None

    def _end_child(self) -> None:
        """Be done with a child that is gone or hangs; from now on the check is made here."""
        if self._end is not None:
            self._end.close()
            self._end = None
        os.kill(self._child, signal.SIGKILL)  # not reaped yet, so the number is still its own
        os.waitpid(self._child, 0)
        print("the RSA checker has ended; its work is done here", file=sys.stderr, flush=True)  # noqa: T201


def _become_child(end: socket.socket) -> NoReturn:
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _close_all_but(end.fileno())
        protect()  # memory locks are not inherited
        landlock.confine(readable=landlock.program_paths())
        seccomp.refuse_sockets_and_programs()
        os.nice(_NICENESS)
        while (der := _received(end)) is not None:
            end.sendall(_VALID if _is_valid_pair(der) else _INVALID)
        status = 0
    finally:
        # INVARIANT(no-secret-in-sight): without a traceback, whose text could hold input.
        os._exit(status)


def _close_all_but(kept: int) -> None:
    for descriptor in map(int, os.listdir("/dev/fd")):  # noqa: PTH208 - pathlib is not loaded here
        if descriptor > _STDERR and descriptor != kept:
            with contextlib.suppress(OSError):  # the listing's own is closed already
                os.close(descriptor)


def _received(end: socket.socket) -> bytes | None:
    head = end.recv(_LENGTH.size, socket.MSG_WAITALL)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = end.recv(length, socket.MSG_WAITALL)
    return body if len(body) == length else None


def _is_valid_pair(der: bytes) -> bool:
    # The library is loaded when it is first needed: the child of most deployments never is.
    from kagimori_hsm.algorithms import rsa  # noqa: PLC0415

    return rsa.is_valid_pair(der)
