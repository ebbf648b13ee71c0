"""The client of the HSM in a worker: many commands in flight on one connection, in batches.

When the HSM goes away, what was in flight fails at once and the client keeps trying to come back;
nothing is repeated by itself, since the caller's SDK repeats what is safe to repeat.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from kagimori.machinery.telemetry import Telemetry
from kagimori.pending import Pending, start
from kagimori.ports import Ask, KeyHolder
from kagimori.settings import Hsm
from kagimori_boundary.commands import Command, Hello, HsmCommand
from kagimori_boundary.commands.command import FAST
from kagimori_boundary.frames import PROTOCOL_VERSION, BadFrame, FrameCutter, decode_reply, frame_of
from kagimori_boundary.replies import Failed, Failure, Greeting, HsmState, Reply

RECONNECT_SECONDS: Final = 0.05

_BUSY: Final = Failed(Failure.BUSY)
_NOT_OPERATIONAL: Final = Failed(Failure.NOT_OPERATIONAL)


class HsmGone(Exception):
    """The HSM does not answer: not connected, gone while it worked, or too slow."""


async def forget_lost(key_holder: KeyHolder, command: Command, telemetry: Telemetry) -> None:
    """Make the HSM forget key material whose loss is committed; ignore an HSM that is gone."""
    try:
        await key_holder.perform(Ask(None, command))
    except HsmGone as gone:
        telemetry.trouble(type(gone).__name__, str(gone))


class HsmClient(asyncio.Protocol):
    """Performs commands; reconnects by itself until closed."""

    def __init__(self, socket_path: str, settings: Hsm = Hsm()) -> None:  # noqa: B008 - frozen
        self._socket_path = socket_path
        self._settings = settings
        self._transport: asyncio.Transport | None = None
        self._in_flight: dict[int, tuple[float, Pending[Reply]]] = {}
        self._unsent: list[bytes] = []
        self._cutter = FrameCutter()
        self._next_id = 0
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        self._greeted = False
        self._greeting: Greeting | None = None
        self.operational = self.sealed = False
        self.on_sealed: Callable[[], None] = lambda: None

    @property
    def why_not_operational(self) -> str:
        """The reason for which the HSM does not serve, in words; empty if it does."""
        if self.operational:
            return ""
        if self._transport is None:
            return "not connected"
        if self._greeting is None:
            return "not operational"
        state = self._greeting.state.name
        return f"{state}: {self._greeting.reason}" if self._greeting.reason else state

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def perform(self, command: HsmCommand) -> Pending[Reply]:
        """Send a command with the others of this turn of the loop; its reply settles the pending.

        The pending fails with `HsmGone` when there is no HSM, or no longer. When too many commands
        are in flight, the reply is that of an HSM that has too much to do.
        """
        if self._transport is None:
            lost: Pending[Reply] = Pending()
            lost.fail(HsmGone("the HSM is not connected"))
            return lost
        if len(self._in_flight) >= self._settings.in_flight:
            refused: Pending[Reply] = Pending()
            refused.settle(_BUSY)
            return refused
        self._next_id = correlation_id = (self._next_id + 1) & 0xFFFFFFFF
        is_fast = command.lane is FAST
        settings = self._settings
        seconds = settings.answer_seconds if is_fast else settings.slow_answer_seconds
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(frame_of(correlation_id, command))
        pending: Pending[Reply] = Pending()
        self._in_flight[correlation_id] = (self._loop.time() + seconds, pending)
        return pending

    async def run(self) -> None:
        """Stay connected until cancelled; give up on answers that are too late."""
        while not self._closed:
            try:
                await self._loop.create_unix_connection(lambda: self, self._socket_path)
            except OSError:
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            self._lost.clear()
            watch = self._loop.create_task(self._watch())
            await self._lost.wait()
            watch.cancel()

    async def _watch(self) -> None:
        """Learn whether the HSM serves, also while nobody asks it, and what took too long."""
        while True:
            if not self._greeted:
                self._greet()
            await asyncio.sleep(1.0 if self.operational else RECONNECT_SECONDS)
            now = self._loop.time()
            is_late = any(until < now for until, _ in self._in_flight.values())
            if is_late and self._transport:
                # Everything behind it waits as well; a new connection starts clean.
                self._transport.abort()

    def _greet(self) -> None:
        greeting = self.perform(Hello(PROTOCOL_VERSION))
        self._greeted = True  # once, until it answers: an HSM that hangs is not swamped

        async def look() -> None:
            try:
                reply = await greeting
            except HsmGone:
                return
            finally:
                self._greeted = False
            if isinstance(reply, Greeting) and reply.version == PROTOCOL_VERSION:
                self._greeting = reply
                self.operational = reply.state is HsmState.OPERATIONAL
                if reply.state is HsmState.SEALED and not self.sealed:
                    self.on_sealed()
                self.sealed = reply.state is HsmState.SEALED

        start(look())

    # --- asyncio.Protocol ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._cutter = FrameCutter()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = self._greeting = None
        self.operational = self.sealed = False
        self._unsent.clear()
        in_flight, self._in_flight = self._in_flight, {}
        for _, pending in in_flight.values():
            pending.fail(HsmGone("the HSM went away"))
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._cutter.feed(data)
        except BadFrame:
            if self._transport is not None:
                self._transport.abort()
            return
        for correlation_id, body in frames:
            waiting = self._in_flight.pop(correlation_id, None)
            if waiting is not None:
                reply = decode_reply(body)
                if reply == _NOT_OPERATIONAL:
                    self.operational, self._greeting = False, None  # until it says how it is
                waiting[1].settle(reply)

    def _flush(self) -> None:
        if self._transport is not None and self._unsent:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.close()
        self._lost.set()
