"""The addresses that requests to hosts of others may go to: a guard against requests to ourselves.

Whoever may make a custom key store names a host. Its name could lead to this machine, to the
metadata service of a cloud, or to anything else in the networks around it. So a host is reached at
public addresses alone, unless the deployment names it or its network.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Final

from kagimori.machinery.https_client import Address, Unreachable
from kagimori.rules.folding import fold
from kagimori.rules.numbers import whole_between

PORT: Final = 443
PORT_MAX: Final = 65_535
# The network in which IPv6 addresses stand for those of IPv4 (RFC 6052): 64:ff9b::/96.
_NAT64: Final = int(ipaddress.IPv6Address("64:ff9b::")) >> 32

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class Addresses:
    """Finds addresses of hosts; `reached_at` has the place of each host that is named."""

    def __init__(self, reached_at: Mapping[str, str], networks: Sequence[str]) -> None:
        self._reached_at = {fold(host): read_place(place) for host, place in reached_at.items()}
        self._networks = [read_network(text) for text in networks]

    def is_inside(self, host: str) -> bool:
        """Return whether the deployment has networks of its own in which this host may be."""
        return bool(self._networks) or fold(host) in self._reached_at

    async def find(self, host: str) -> Sequence[Address]:
        """Return the addresses of a host that may be connected to.

        Raises:
            Unreachable: it has none.
        """
        named = self._reached_at.get(fold(host))
        name, port = named or (host, PORT)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                name, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            raise Unreachable from None
        ips = [str(place[4][0]) for place in found]
        open_ones = [Address(ip, port) for ip in ips if named or self._is_open(ip)]
        if not open_ones:
            raise Unreachable
        return open_ones

    def _is_open(self, text: str) -> bool:
        ip = ipaddress.ip_address(text.partition("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None)
        if mapped is not None:
            ip = mapped
        if any(ip in network for network in self._networks):
            return True
        return _is_public(ip)


def _is_public(ip: Ip) -> bool:
    """Return whether an address is of the internet, and does not embed one that is not."""
    if not ip.is_global or ip.is_multicast:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        teredo = ip.teredo
        inner = [ip.sixtofour, *(teredo or ())]
        if int(ip) >> 32 == _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        return all(one is None or one.is_global for one in inner)
    return True


def read_place(text: str) -> tuple[str, int]:
    """Return host and port of a place such as `10.0.0.5:8443`.

    Raises:
        ValueError: it is none.
    """
    host, colon, port = text.rpartition(":")
    number = whole_between(port, 1, PORT_MAX)
    if not colon or not host or number is None:
        raise ValueError(f"{text!r} is no HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), number


def read_network(text: str) -> Network:
    """Return a network such as `10.20.0.0/16`.

    Raises:
        ValueError: it is none.
    """
    return ipaddress.ip_network(text)
