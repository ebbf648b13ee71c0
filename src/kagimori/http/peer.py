"""The facts about a peer from its connection: its address, and its TLS parameters."""

import asyncio

from kagimori.rules.request import TlsDetails


def source_ip(transport: asyncio.Transport) -> str:
    """Return the peer's address; an IPv4 one in IPv4's form on a dual-stack socket too."""
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return ""
    address = str(peer[0])
    mapped = address.removeprefix("::ffff:")
    return mapped if "." in mapped else address


def tls_details(transport: asyncio.Transport) -> TlsDetails | None:
    """Return TLS version and cipher, or None for plain HTTP."""
    secure = transport.get_extra_info("ssl_object")
    if secure is None:
        return None
    cipher = secure.cipher()
    return TlsDetails(secure.version() or "", cipher[0] if cipher else "")
