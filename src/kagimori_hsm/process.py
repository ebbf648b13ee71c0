"""The HSM as a process: the seal key is read, the module tested, and both doors opened.

It opens no file: seal keys arrive as open descriptors, and the operator's connection as
another. When the operator's end closes, the process ends, and with it every key in plain.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final

import uvloop

from kagimori_boundary.commands import Role
from kagimori_hsm.door import Connection
from kagimori_hsm.journal import Journal, JournalBroken, JournalWriter
from kagimori_hsm.lanes import USES_MAX, USES_OF_ACCOUNT_MAX, SlowLane
from kagimori_hsm.module import Module
from kagimori_hsm.roots.opener import Opener
from kagimori_hsm.world import REFUSAL_SECONDS, World
from kagimori_sandbox import landlock, seccomp

WAITING_CONNECTIONS_MAX: Final = 100
EXPIRY_SECONDS: Final = 15.0  # between looks at the age of opened keys


def serve(
    *,
    socket_path: str,
    seal_key_fds: Sequence[int],
    opener_fd: int | None,
    operator_fd: int,
    memory_locked: bool,
    journal_fd: int | None,
    refusal_seconds: int | None,
    dev: bool,
    is_valid_rsa_pair: Callable[[bytes], bool],
) -> None:
    """Serve until the operator goes away, or SIGTERM."""
    journal = _journal(journal_fd)
    module = Module(
        b"",
        further_seal_keys=[_seal_key(descriptor) for descriptor in seal_key_fds],
        opener=None if opener_fd is None else Opener(socket.socket(fileno=opener_fd)),
        memory_locked=memory_locked,
        world=_world(refusal_seconds, dev=dev),
        journal=journal,
        is_valid_rsa_pair=is_valid_rsa_pair,
    )
    module.self_test()
    listener = _listener(socket_path)
    # Before the first command, and before the first thread, which would go on as it was.
    module.sandbox = _confine()
    uvloop.run(_serve(module, journal, listener, socket.socket(fileno=operator_fd)))


async def _serve(
    module: Module, journal: Journal, listener: socket.socket, operator: socket.socket
) -> None:
    loop = asyncio.get_running_loop()
    operator_gone = asyncio.Event()
    slow_lane, writer = SlowLane(), JournalWriter(journal)
    uses = SlowLane(of_account_max=USES_OF_ACCOUNT_MAX, waiting_max=USES_MAX)
    server = await loop.create_unix_server(
        lambda: Connection(module.perform, slow_lane, module.role_of, writer, uses=uses),
        sock=listener,
    )
    await loop.create_unix_connection(
        lambda: Connection(
            module.perform, slow_lane, lambda _: Role.OPERATOR, writer, operator_gone.set
        ),
        sock=operator,
    )
    dropping = loop.create_task(_drop_expired_keys(module))
    await operator_gone.wait()
    dropping.cancel()
    server.close()


def _listener(path: str) -> socket.socket:
    """Return the workers' socket, made for its owner alone, and listening."""
    listener = socket.socket(socket.AF_UNIX)
    previous_mask = os.umask(0o177)
    listener.bind(path)
    os.umask(previous_mask)
    listener.listen(WAITING_CONNECTIONS_MAX)
    return listener


async def _drop_expired_keys(module: Module) -> None:
    while True:
        await asyncio.sleep(EXPIRY_SECONDS)
        module.drop_expired()


def _world(refusal_seconds: int | None, *, dev: bool) -> World:
    seconds = REFUSAL_SECONDS if refusal_seconds is None else refusal_seconds
    return World(dev=dev, refusal_seconds=seconds)


def _journal(descriptor: int | None) -> Journal:
    try:
        return Journal(descriptor)
    except JournalBroken:
        sys.exit(
            "the HSM's journal does not end with a line of its own: hsm/journal.jsonl was changed. "
            "Keep it, put it aside, and start again: a new one begins (docs/look-up/audit.md)."
        )


def _confine() -> tuple[str, ...]:
    """Give up files and sockets, now that all are open; return what holds that, by name.

    What Python loads later may still be read; the RSA checker may still be ended.
    """
    files = landlock.confine(readable=landlock.program_paths(), signals=True)
    calls = seccomp.refuse_sockets_and_programs()
    return (*(("landlock",) if files else ()), *(("seccomp",) if calls else ()))


def _seal_key(descriptor: int) -> bytes:
    """Return the seal key; for a file that holds none, one that opens nothing."""
    with os.fdopen(descriptor, "rb") as file:
        try:
            return bytes.fromhex(file.read(1024).decode("ascii"))
        except ValueError:
            return os.urandom(32)
