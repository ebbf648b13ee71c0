"""The HTTP server: HTTP/1.0 and 1.1 over plain sockets or TLS.

It turns bytes into `RawRequest` and `RawAnswer` into bytes. It knows no operation, checks no
signature and decides nothing but whether a message is one unambiguous HTTP request within limits.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from kagimori.http.answers import AnswerHeads
from kagimori.http.connection import Connection
from kagimori.http.exchange import Handler, Respond, Shared
from kagimori.http.handshake import BACKLOG, TlsListener
from kagimori.settings import FrontLimits

__all__ = ["Front", "Handler", "Respond"]


class Front:
    """Serves connections from any number of listening sockets, within one event loop."""

    def __init__(
        self,
        handler: Handler,
        limits: FrontLimits,
        *,
        new_request_id: Callable[[], str],
        http_date: Callable[[], bytes],
        on_refused: Callable[[int], None] | None = None,
        reserve_pages: frozenset[bytes] = frozenset(),
    ) -> None:
        """Hand each whole request to `handler`, which must not raise and answers exactly once.

        `http_date` is asked once a sweep. `on_refused` hears the status of every answer that no
        handler gave. `reserve_pages` are paths that are answered even when all places are taken.
        """
        self._shared = Shared(
            handler,
            limits,
            AnswerHeads(http_date),
            new_request_id=new_request_id,
            on_refused=on_refused,
            reserve_pages=reserve_pages,
        )
        self._servers: list[asyncio.Server | TlsListener] = []
        self._next_sweep: asyncio.TimerHandle | None = None

    @property
    def connections_open(self) -> int:
        """Return how many peers are connected."""
        return len(self._shared.connections)

    @property
    def requests_in_flight(self) -> int:
        """Return how many requests a handler has and has not answered."""
        return self._shared.in_flight

    def connection(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """Return the protocol object for one accepted socket."""
        return Connection(self._shared, loop)

    async def listen(self, *, sock: socket.socket, ssl: ssl.SSLContext | None) -> None:
        """Accept connections from a bound socket from now on.

        Raises:
            OSError: the socket cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        if ssl is None:
            server = await loop.create_server(
                lambda: self.connection(loop), sock=sock, backlog=BACKLOG
            )
            self._servers.append(server)
        else:
            listener = TlsListener(self._shared, sock, ssl)
            listener.begin()
            self._servers.append(listener)
        if self._next_sweep is None:
            self._sweep_later(loop)

    async def drain(self, seconds: float) -> None:
        """Stop: refuse new connections, deliver what is in flight, and after `seconds` cut."""
        shared = self._shared
        shared.draining = True
        for server in self._servers:
            server.close()
        gone = asyncio.Event()
        shared.on_last_gone = gone.set
        for connection in list(shared.connections):
            connection.retire()
        if shared.connections:
            try:
                await asyncio.wait_for(gone.wait(), seconds)
            except TimeoutError:
                for connection in list(shared.connections):
                    connection.abort()
        if self._next_sweep is not None:
            self._next_sweep.cancel()
            self._next_sweep = None

    def sweep(self, now: float) -> None:
        """End connections past their deadline at `now` (the loop's time); take the date anew."""
        self._shared.heads.refresh()
        late = [peer for peer in self._shared.connections if peer.deadline <= now]
        for connection in late:
            connection.expire()

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sweep again and again: one timer for all connections, however many."""

        def run() -> None:
            self._sweep_later(loop)
            self.sweep(loop.time())

        self._next_sweep = loop.call_later(self._shared.limits.sweep_seconds(), run)
