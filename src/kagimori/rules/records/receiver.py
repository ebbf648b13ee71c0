"""HTTP receivers of notices and digests: permitted addresses, and the signature of a request.

In the clear only to this machine: notices name keys and callers.
"""

import hmac
from hashlib import sha256
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

SECRET_BYTES_MIN: Final = 16
SIGNATURE_HEADER: Final = "X-Kagimori-Signature"
TIMESTAMP_HEADER: Final = "X-Kagimori-Timestamp"
EVENT_HEADER: Final = "X-Kagimori-Event"


class BadReceiver(ValueError):
    """An address that nothing may be sent to."""


class Receiver(Struct, frozen=True):
    """The address of a receiver; `target` is path and query."""

    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def read_receiver(url: str) -> Receiver:
    """Return the receiver of a URL.

    Raises:
        BadReceiver: neither HTTPS, nor HTTP to a loopback address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadReceiver(f"{url} is not a URL") from None
    if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
        raise BadReceiver(f"{url} is not an https:// URL without a user")
    if not f"{parts.path}{parts.query}".isascii() or any(c.isspace() for c in url):
        raise BadReceiver(f"{url} has characters that a URL cannot have")
    secure = parts.scheme == "https"
    if not secure and not _is_loopback(host):
        raise BadReceiver(f"{url}: without TLS, only a loopback address is sent to")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Receiver(secure, host, port or (443 if secure else 80), target)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_secret(content: bytes) -> bytes:
    """Return the secret in a file, without white space around it.

    Raises:
        BadReceiver: too short to keep anybody from guessing it.
    """
    secret = content.strip()
    if len(secret) < SECRET_BYTES_MIN:
        raise BadReceiver(f"a secret has at least {SECRET_BYTES_MIN} bytes")
    return secret


def signature_of(secret: bytes, timestamp: int, body: bytes) -> str:
    """Return `v1=` and the HMAC-SHA256, in hex, of the timestamp, a dot and the body."""
    signed = b"%d." % timestamp + body
    return "v1=" + hmac.new(secret, signed, sha256).hexdigest()
