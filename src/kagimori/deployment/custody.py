"""The seals of a deployment: listed from its store, opened and changed in the HSM that serves it.

A custodian's secret goes from this process to the HSM over its socket, and nowhere else. Who may do
that is whoever can read the custodian key, a file that each server makes and no worker can read.
"""

import contextlib
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from kagimori.deployment.folder import Layout, Unusable, write_private
from kagimori.deployment.opened import opened
from kagimori.deployment.running import running_server
from kagimori.deployment.seal_problems import why_refused
from kagimori_boundary.commands import (
    AddSeal,
    BecomeCustodian,
    Command,
    DescribeSeals,
    OpenSeal,
    RemoveSeal,
    TestSeal,
)
from kagimori_boundary.frames import BadFrame, FrameCutter, decode_reply, frame_of
from kagimori_boundary.replies import Failed, Reply
from kagimori_boundary.seal_replies import (
    SealAdded,
    SealFacts,
    SealProgress,
    Seals,
)
from kagimori_boundary.seals import FILE, seals_in

ANSWER_SECONDS_MAX: Final = 60.0
KEEP_SECONDS_MAX: Final = 60.0
_RECEIVE_BYTES: Final = 65536
_POLL_SECONDS: Final = 0.1
FILE_KEY_BYTES: Final = 32


class SealRefused(Exception):
    """A reason why a seal was not opened or changed, as one line for people."""


class NotKept(SealRefused):
    """A change was made, and nobody has kept it in time."""


class Added(Struct, frozen=True):
    """A seal that is in force; `shares` are shown once, `file` is where its key lies."""

    seal_id: str
    shares: tuple[str, ...] = ()
    file: Path | None = None


class Custodian:
    """A connection to the HSM of a running server, as a custodian's."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._cutter, self._asked = connection, FrameCutter(), 0

    def seals(self) -> Seals:
        """Return the seals, and how far each is with being opened."""
        reply = self._ask(DescribeSeals())
        if not isinstance(reply, Seals):
            raise SealRefused("the HSM answered something else")
        return reply

    def open(self, seal_id: str, secret: bytes) -> SealProgress:
        """Give a passphrase or a share to the sealed HSM; return how many are there.

        Raises:
            SealRefused: it does not open the seal, or is not tried now.
        """
        return self._progress(OpenSeal(seal_id, secret))

    def test(self, seal_id: str, secret: bytes) -> SealProgress:
        """Try a seal; changes nothing.

        Raises:
            SealRefused: it does not open.
        """
        return self._progress(TestSeal(seal_id, secret))

    def add(self, kind: str, label: str, parameters: dict[str, str | int], secret: bytes) -> Added:
        """Add a seal; return once it is in force.

        Raises:
            SealRefused: it was not made, or not kept.
        """
        reply = self._ask(AddSeal(kind, label, parameters, secret))
        if not isinstance(reply, SealAdded):
            raise SealRefused(why_refused(reply))
        self._wait(reply.seal_id, is_there=True)
        return Added(reply.seal_id, tuple(reply.shares))

    def remove(self, seal_id: str) -> None:
        """Remove a seal; return once the new root key is in force.

        Raises:
            SealRefused: it is the last one, or was not removed.
        """
        reply = self._ask(RemoveSeal(seal_id))
        if not isinstance(reply, SealProgress):
            raise SealRefused(why_refused(reply))
        self._wait(seal_id, is_there=False)

    def _wait(self, seal_id: str, *, is_there: bool) -> None:
        until = time.monotonic() + KEEP_SECONDS_MAX
        while time.monotonic() < until:
            found = self.seals()
            if any(seal.seal_id == seal_id for seal in found.seals) is is_there:
                return
            if not found.is_changing:
                break
            time.sleep(_POLL_SECONDS)
        raise NotKept("the change was not kept: see the server's log, and `kagimori seal list`")

    def _progress(self, command: Command) -> SealProgress:
        reply = self._ask(command)
        if not isinstance(reply, SealProgress):
            raise SealRefused(why_refused(reply))
        return reply

    def _ask(self, command: Command) -> Reply:
        self._asked += 1
        try:
            self._connection.sendall(frame_of(self._asked, command))
            while part := self._connection.recv(_RECEIVE_BYTES):
                for _, body in self._cutter.feed(part):
                    return decode_reply(body)
        except (OSError, BadFrame) as problem:
            raise SealRefused(f"the HSM does not answer: {problem}") from None
        raise SealRefused("the HSM went away")


@contextlib.contextmanager
def custodian(data: Path) -> Iterator[Custodian]:
    """Yield a custodian's connection to the HSM of the server that uses this folder.

    Raises:
        Unusable: it is not being served, or the custodian key cannot be read.
    """
    layout = Layout(data)
    running = running_server(data)
    if running is None:
        raise Unusable(f"{data} is not being served: start it with `kagimori serve --data {data}`")
    try:
        custodian_key = layout.custodian_key.read_bytes()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWER_SECONDS_MAX)
        connection.connect(running["hsm_socket"])
    except (OSError, KeyError) as problem:
        raise Unusable(f"the HSM of {data} cannot be reached: {problem}") from None
    with connection:
        made = Custodian(connection)
        if isinstance(made._ask(BecomeCustodian(custodian_key)), Failed):  # noqa: SLF001 - ours
            raise Unusable(f"the HSM of {data} does not take {layout.custodian_key}")
        yield made


def stored_seals(data: Path) -> list[SealFacts]:
    """Return the seals that the store has; no HSM is asked.

    Raises:
        Unusable: there is no deployment, or it cannot be read.
    """
    with opened(data, read_only=True) as deployment:
        seals = seals_in(deployment.facts.sealed_domains)
    return [SealFacts(seal.seal_id, seal.kind, seal.label, seal.made_at) for seal in seals]


def add_file_seal(data: Path, label: str) -> Added:
    """Add a seal of a new file in the data folder; return once it is in force.

    Raises:
        Unusable: the file cannot be written, or no server runs.
        SealRefused: the seal was not made.
    """
    file = Layout(data).new_seal_key()
    key = secrets.token_bytes(FILE_KEY_BYTES)
    try:
        with custodian(data) as connection:
            write_private(file, key.hex().encode())  # on disk before anything needs it
            added = connection.add(FILE, label or file.name, {"file": file.name}, key)
    except NotKept:
        raise  # it may still be kept, and would need its file
    except SealRefused:
        file.unlink(missing_ok=True)
        raise
    except OSError as problem:
        raise Unusable(f"cannot write {file}: {problem.strerror}") from None
    return Added(added.seal_id, (), file)
