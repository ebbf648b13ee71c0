"""A client for small HTTPS requests to hosts that others have named, on the loop of a worker.

Every request has one bound of time for all of it, whatever it waits for, and every answer a bound
of size. Connections are kept for the next request. Where a name may lead is not decided by the name
alone: each address is looked at before it is connected to (`addresses.py`).

Source: RFC 9112.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from kagimori.machinery.http_answer import Answer, BadAnswer, read_answer

IDLE_EACH_MAX: Final = 16
IDLE_SECONDS_MAX: Final = 30.0
# To one host: as many as AWS lets a key store have in a quarter of a second.
IN_FLIGHT_EACH_MAX: Final = 450
_LINE_BYTES_MAX: Final = 16 * 1024


class Unreachable(Exception):
    """No connection to the host could be made, or it was cut."""


class NoTls(Exception):
    """The host was reached, and there is no TLS connection with it that may be trusted."""


class TooLate(Exception):
    """The host did not answer in time."""


class Address(NamedTuple):
    """One IP address and port to connect to."""

    ip: str
    port: int


# Where a host may be reached; raises `Unreachable` if nowhere.
Finder = Callable[[str], Awaitable[Sequence[Address]]]


class _Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = 0.0

    def close(self) -> None:
        with suppress(OSError, RuntimeError):
            self.writer.transport.abort()


class HttpsClient:
    """Posts requests; made and used on the loop."""

    def __init__(self, context: ssl.SSLContext, find: Finder) -> None:
        self._context, self._find = context, find
        self._idle: dict[str, list[_Connection]] = {}
        self._in_flight: Counter[str] = Counter()

    async def post(
        self, host: str, path: str, headers: Mapping[str, str], body: bytes, *, seconds: float
    ) -> Answer:
        """Return the answer to a request.

        Raises:
            Unreachable, NoTls, TooLate, BadAnswer: there is none that can be used.
        """
        if self._in_flight[host] >= IN_FLIGHT_EACH_MAX:
            raise TooLate
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
        lines += [f"content-length: {len(body)}", "", ""]
        request = "\r\n".join(lines).encode("ascii") + body
        self._in_flight[host] += 1
        try:
            async with asyncio.timeout(seconds):
                return await self._posted(host, request)
        except TimeoutError:
            raise TooLate from None
        finally:
            self._in_flight[host] -= 1
            if not self._in_flight[host]:
                del self._in_flight[host]

    def forget(self, host: str) -> None:
        """Close the connections to a host that nobody uses."""
        for connection in self._idle.pop(host, ()):
            connection.close()

    def close(self) -> None:
        """Close all connections that nobody uses."""
        for host in list(self._idle):
            self.forget(host)

    async def _posted(self, host: str, request: bytes) -> Answer:
        kept = self._kept(host)
        if kept is not None:
            try:
                return await self._exchanged(host, kept, request)
            except Unreachable:  # the other side had closed it: on a new one then
                pass
        return await self._exchanged(host, await self._connected(host), request)

    async def _exchanged(self, host: str, connection: _Connection, request: bytes) -> Answer:
        is_whole = False
        try:
            connection.writer.write(request)
            answer = await read_answer(connection.reader)
            is_whole = answer.keeps_connection
        except (OSError, asyncio.IncompleteReadError) as problem:
            raise Unreachable from problem
        else:
            return answer
        finally:
            if is_whole:
                self._keep(host, connection)
            else:
                connection.close()

    def _kept(self, host: str) -> _Connection | None:
        """Return a connection to use again, if there is one."""
        now = asyncio.get_running_loop().time()
        kept = self._idle.get(host, [])
        while kept:
            connection = kept.pop()
            is_old = connection.idle_since + IDLE_SECONDS_MAX < now
            if not is_old and not connection.reader.at_eof():
                return connection
            connection.close()
        return None

    def _keep(self, host: str, connection: _Connection) -> None:
        kept = self._idle.setdefault(host, [])
        if len(kept) >= IDLE_EACH_MAX:
            connection.close()
            return
        kept.append(connection._replace(idle_since=asyncio.get_running_loop().time()))

    async def _connected(self, host: str) -> _Connection:
        """Return a new connection to the first address that answers."""
        addresses = await self._find(host)
        for address in addresses:
            try:
                connected = await _tcp(address)
            except OSError:
                continue
            return await self._secured(connected, host)
        raise Unreachable

    async def _secured(self, connected: socket.socket, host: str) -> _Connection:
        try:
            reader, writer = await asyncio.open_connection(
                sock=connected, ssl=self._context, server_hostname=host, limit=_LINE_BYTES_MAX
            )
        except (ssl.SSLError, ConnectionError) as problem:
            connected.close()
            raise NoTls from problem
        except BaseException:
            connected.close()
            raise
        return _Connection(reader, writer)


async def _tcp(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.ip else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)  # noqa: FBT003 - its one argument
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, (address.ip, address.port))
    except BaseException:
        made.close()
        raise
    return made


__all__ = [
    "Address",
    "Answer",
    "BadAnswer",
    "Finder",
    "HttpsClient",
    "NoTls",
    "TooLate",
    "Unreachable",
]
