"""Binds listening sockets before anything starts; plain HTTP is for loopback alone."""

import ipaddress
import socket

from kagimori.deployment.folder import Unusable
from kagimori.http.handshake import BACKLOG
from kagimori.rules.numbers import whole


def listener_at(address: str, *, plain: bool) -> socket.socket:
    """Return a socket that listens at `HOST:PORT`; port 0 picks a free one.

    Raises:
        Unusable: no address, one in use, or one where plain HTTP must not be.
    """
    host, _, port_text = address.rpartition(":")
    host = host.strip("[]")
    port = whole(port_text, digits_max=5)
    if port is None or not host or port > 65535:  # noqa: PLR2004
        raise Unusable(f"an address is HOST:PORT, not {address!r}")
    if plain and not _is_loopback(host):
        raise Unusable(
            f"plain HTTP is for loopback only, and {host} is not: give --tls-certificate and "
            "--tls-key, or make the deployment with `kagimori init --tls`"
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(BACKLOG)  # now, so that a second server is refused here and not later
    except OSError as problem:
        raise Unusable(f"cannot listen on {address}: {problem.strerror}") from None
    return found


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(listener: socket.socket, *, secure: bool) -> str:
    """Return the URL at which a listener answers."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}"
