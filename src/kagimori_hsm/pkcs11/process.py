"""The token process: the door, one thread for the token, and the watch over that thread.

A call of the library that hangs cannot be ended by itself, so the process ends, and whoever started
it starts another. When the operator's end closes, the process ends as well.
"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from kagimori_boundary.commands import HsmCommand, Role
from kagimori_boundary.frames import PROTOCOL_VERSION
from kagimori_boundary.replies import Greeting, HsmState, Reply
from kagimori_boundary.token_options import TokenOptions
from kagimori_hsm.engines.token_connection import TokenConnection
from kagimori_hsm.journal import Journal, JournalWriter
from kagimori_hsm.lanes import BatchLane, SlowLane
from kagimori_hsm.pkcs11.door import TokenDoor
from kagimori_hsm.pkcs11.module import TokenModule
from kagimori_sandbox import landlock, seccomp

# Far more than in the HSM's queue: each command takes the token a fraction of a millisecond.
WAITING_OF_ACCOUNT_MAX: Final = 128
WAITING_MAX: Final = 1024
CHECK_SECONDS: Final = 5.0
WATCH_SECONDS: Final = 0.25
HANGS: Final = 3  # the exit code


class Watch:
    """The calls that one thread makes, one after another, and how long the current one takes."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began: float | None = None

    def run(self, work: Callable[[], Reply]) -> Reply:
        """Return the result of some work, while it is watched."""
        self._began = self._monotonic()
        try:
            return work()
        finally:
            self._began = None

    def seconds(self) -> float:
        """Return for how long the work at hand has been going on; 0 if there is none."""
        began = self._began
        return 0.0 if began is None else self._monotonic() - began


def serve(options: TokenOptions, *, memory_locked: bool) -> None:
    """Serve until the operator goes away."""
    uvloop.run(_serve(options, memory_locked=memory_locked))


async def _serve(options: TokenOptions, *, memory_locked: bool) -> None:
    loop = asyncio.get_running_loop()
    operator = socket.socket(fileno=options.operator_fd)
    listener = _listener(Path(options.socket_path))
    # The library is loaded later, by the thread that uses it, and so within the confinement.
    greeting = Greeting(
        PROTOCOL_VERSION,
        HsmState.OPERATIONAL,
        [],
        memory_locked=memory_locked,
        sandbox=confine(options),
    )
    module, watch = TokenModule(TokenConnection(options)), Watch()
    token_thread = ThreadPoolExecutor(1, "token")
    lane = BatchLane(token_thread, of_account_max=WAITING_OF_ACCOUNT_MAX, waiting_max=WAITING_MAX)
    writer = JournalWriter(Journal(), token_thread)  # nothing here is journaled
    operator_gone = asyncio.Event()

    def perform(role: Role, command: HsmCommand) -> Reply:
        return watch.run(partial(module.perform, role, command))

    def door(role: Role, on_closed: Callable[[], None] | None = None) -> TokenDoor:
        return TokenDoor(perform, lane, lambda _: role, writer, on_closed, greeting=greeting)

    def check() -> Reply:
        module.check()
        return greeting

    server = await loop.create_unix_server(lambda: door(Role.WORKER), sock=listener)
    await loop.create_unix_connection(lambda: door(Role.OPERATOR, operator_gone.set), sock=operator)
    tasks = [
        loop.create_task(_keep_checked(lane, partial(watch.run, check))),
        loop.create_task(_end_if_it_hangs(watch, options)),
    ]
    await operator_gone.wait()
    server.close()
    for task in tasks:
        task.cancel()
    os._exit(0)  # the library may still be in a call, which nothing can end


def confine(options: TokenOptions) -> tuple[str, ...]:
    """Give up files, programs and, unless the token is behind a network, sockets.

    The library, its token and the PIN stay within reach. Returns what holds that, by name.
    """
    library = Path(options.module).resolve()
    files = landlock.confine(
        readable=[*landlock.runtime_paths(), library.parent, Path(options.pin_file)],
        writable=[Path(path) for path in options.reads_and_writes],
        connects=options.network,
    )
    calls = seccomp.refuse_programs() if options.network else seccomp.refuse_sockets_and_programs()
    return (*(("landlock",) if files else ()), *(("seccomp",) if calls else ()))


def _listener(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    previous_mask = os.umask(0o177)  # the socket is its owner's alone
    listener.bind(str(path))
    os.umask(previous_mask)
    listener.listen(128)
    listener.setblocking(False)  # noqa: FBT003 - the library's own
    return listener


async def _keep_checked(lane: SlowLane, check: Callable[[], Reply]) -> None:
    """Have the token looked at every few seconds, in its turn, so that a return is noticed."""
    while True:
        done = asyncio.Event()
        if lane.submit("", check, lambda _, done=done: done.set()):  # type: ignore[misc]
            await done.wait()
        await asyncio.sleep(CHECK_SECONDS)


async def _end_if_it_hangs(watch: Watch, options: TokenOptions) -> None:
    while watch.seconds() < options.operation_seconds:
        await asyncio.sleep(WATCH_SECONDS)
    print(f"token {options.name}: a call of its library hangs", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(HANGS)
