"""Peers over TLS before their handshakes are done: each holds a place from the first moment.

The event loop makes a connection known only once it is secure. Counted from then on alone, silent
peers would take every open file that there may be. So sockets are accepted here.
"""

import asyncio
import socket
import ssl
from math import inf
from typing import Final

from kagimori.http.connection import Connection
from kagimori.http.exchange import Shared
from kagimori.http.life import State
from kagimori.http.peer import address_of, network_of
from kagimori.http.room import Place

BACKLOG: Final = 1024
ACCEPTED_TOGETHER_MAX: Final = 64  # others get their turn too
PAUSE_SECONDS: Final = 0.1  # when there is no open file left to accept with


class TlsListener:
    """Accepts connections from one listening socket, and has their handshakes done."""

    def __init__(self, shared: Shared, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._shared, self._socket, self._context = shared, sock, context
        self._loop = asyncio.get_running_loop()
        self._resuming: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Accept from now on.

        Raises:
            OSError: the socket cannot be listened on.
        """
        self._socket.settimeout(0.0)
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Accept no more."""
        if self._resuming is not None:
            self._resuming.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _accept(self) -> None:
        for _ in range(ACCEPTED_TOGETHER_MAX):
            try:
                accepted, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError:
                self._loop.remove_reader(self._socket)
                self._resuming = self._loop.call_later(PAUSE_SECONDS, self._resume)
                return
            accepted.settimeout(0.0)
            Handshake(self._shared, self._loop, accepted, address_of(address)).begin(self._context)

    def _resume(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._socket, self._accept)


class Handshake:
    """One accepted socket until its `Connection` takes over."""

    __slots__ = (
        "_loop",
        "_socket",
        "_task",
        "deadline",
        "is_leaving",
        "peer",
        "place",
        "shared",
        "state",
    )

    def __init__(
        self, shared: Shared, loop: asyncio.AbstractEventLoop, sock: socket.socket, address: str
    ) -> None:
        self.shared = shared
        self._loop, self._socket = loop, sock
        self._task: asyncio.Task[None] | None = None
        self.deadline = inf  # the handshake has a time limit of its own
        self.state = State.FRESH
        self.place = Place.NONE
        self.peer = network_of(address)
        self.is_leaving = False

    def begin(self, context: ssl.SSLContext) -> None:
        """Admit the peer and begin, or drop it: nothing can be said before the handshake."""
        shared = self.shared
        if not shared.draining:
            self.place = shared.places.admit(self, shared.connections)
        if self.place is Place.NONE:
            if shared.on_refused is not None:
                shared.on_refused(503)
            self._socket.close()
            return
        shared.connections.add(self)
        self._task = self._loop.create_task(self._shake_hands(context))

    def may_give_way(self) -> bool:
        """Return whether the peer is still here: nothing is done for it yet."""
        return not self.is_leaving

    def give_way(self) -> None:
        """End for another peer's sake."""
        self.is_leaving = True
        self.shared.places.release(self)
        self.abort()

    def expire(self) -> None:
        """Drop the peer; its time is over."""
        self.abort()

    def retire(self) -> None:
        """Drop the peer: it has not asked anything yet."""
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._task is not None:
            self._task.cancel()

    async def _shake_hands(self, context: ssl.SSLContext) -> None:
        seconds = self.shared.limits.header_seconds
        connection = Connection(self.shared, self._loop, self)
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                self._socket,
                ssl=context,
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=seconds,
            )
        except OSError:
            pass  # not TLS, no common version, too late, or gone
        finally:
            self._forget()

    def _forget(self) -> None:
        """Give up the place, unless the connection has it."""
        shared = self.shared
        shared.places.release(self)
        if self in shared.connections:
            shared.connections.remove(self)
            self._socket.close()
            if not shared.connections and shared.on_last_gone is not None:
                shared.on_last_gone()
