"""The facts about a peer from its connection: its address, its network, its TLS parameters."""

import asyncio
import ipaddress

from kagimori.rules.request import TlsDetails


def source_ip(transport: asyncio.Transport) -> str:
    """Return the peer's address; an IPv4 one in IPv4's form on a dual-stack socket too."""
    return address_of(transport.get_extra_info("peername"))


def address_of(peer: object) -> str:
    """Return the address in a socket's name of its peer; none for other kinds of sockets."""
    if not isinstance(peer, tuple) or not peer:
        return ""
    address = str(peer[0])
    mapped = address.removeprefix("::ffff:")
    return mapped if "." in mapped else address


def network_of(address: str) -> str:
    """Return the name by which a peer's share is counted: an address, or an IPv6 network (/64).

    One who has an IPv6 address usually has all of its network.
    """
    if ":" not in address:
        return address
    try:
        packed = ipaddress.IPv6Address(address).packed
    except ValueError:
        return address
    return packed[:8].hex()


def tls_details(transport: asyncio.Transport) -> TlsDetails | None:
    """Return TLS version and cipher, or None for plain HTTP."""
    secure = transport.get_extra_info("ssl_object")
    if secure is None:
        return None
    cipher = secure.cipher()
    return TlsDetails(secure.version() or "", cipher[0] if cipher else "")
