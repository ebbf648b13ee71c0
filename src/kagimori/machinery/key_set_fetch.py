"""Fetching one issuer's keys over HTTPS: two small pages, no redirect, and an end from outside.

A timeout of a socket bounds one wait, not all of them: who sends a byte every few seconds could
hold a fetch for days. So whoever waits can give up, which cuts the connection under the fetch.

Source: RFC 8414 (as OpenID Connect Discovery 1.0, section 4), RFC 7517.
"""

import http.client
import socket
import ssl
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from kagimori.rules.identity.token_json import read_object

WAIT_SECONDS_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 256 * 1024
KEYS_MAX: Final = 100


class Fetch:
    """One fetch; `keys` runs in a thread, `give_up` is called from elsewhere."""

    def __init__(self, issuer: str) -> None:
        self.is_heard = False
        self._issuer = issuer
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_over = False

    def keys(self) -> Sequence[Mapping[str, Any]]:
        """Return the issuer's keys; none if it does not answer as it should."""
        try:
            found = self._get(f"https://{self._issuer}/.well-known/openid-configuration")
            address = found.get("jwks_uri")
            if not isinstance(address, str) or not address.startswith("https://"):
                return ()
            keys = self._get(address).get("keys")
        except (OSError, ValueError, http.client.HTTPException):
            return ()
        finally:
            self._close()
        if not isinstance(keys, list) or len(keys) > KEYS_MAX:
            return ()
        return [key for key in keys if isinstance(key, dict)]

    def give_up(self) -> None:
        """End the fetch: what it waits for fails at once."""
        with self._lock:
            self._is_over = True
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def watch(self, connected: socket.socket) -> None:
        """Remember a connection, so that it can be cut.

        Raises:
            TimeoutError: it is over already.
        """
        with self._lock:
            if self._is_over:
                raise TimeoutError
            self._sockets.append(connected.dup())  # TLS takes the first one over

    def _close(self) -> None:
        with self._lock:
            for one in self._sockets:
                one.close()
            self._sockets.clear()

    def _get(self, url: str) -> dict[str, Any]:
        opener = urllib.request.build_opener(_NoRedirect, _Handler(self))
        with opener.open(url, timeout=WAIT_SECONDS_MAX) as answer:
            content: bytes = answer.read(ANSWER_BYTES_MAX + 1)
        if len(content) > ANSWER_BYTES_MAX:
            raise ValueError("too much")
        return read_object(content)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # what is fetched is what was registered
        return None


class _Connection(http.client.HTTPSConnection):
    """A connection that the fetch can cut, from before the TLS handshake on."""

    def __init__(self, host: str, *, fetch: Fetch, context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(host, timeout=timeout, context=context)
        self._fetch = fetch
        self._tls = context
        self._server_name = host

    def set_tunnel(self, host: str, *more: Any, **others: Any) -> None:
        self._server_name = host
        super().set_tunnel(host, *more, **others)

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self._fetch.watch(self.sock)
        name = urllib.request.Request(f"https://{self._server_name}").host or ""
        name = name.rpartition(":")[0] or name
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=name.strip("[]"))


class _Handler(urllib.request.HTTPSHandler):
    def __init__(self, fetch: Fetch) -> None:
        super().__init__()
        self._fetch = fetch
        self._context_used = ssl.create_default_context()

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, *, timeout: float) -> _Connection:
            return _Connection(host, fetch=self._fetch, context=self._context_used, timeout=timeout)

        return self.do_open(connection, request)  # type: ignore[arg-type] # made as it is called
