"""Web pages of other sites are kept away from `kagimori dev`, which believes every caller.

A page makes its visitor's browser send requests to the visitor's own machine: by forms, images and
scripts, or under a name of its own that it lets lead to 127.0.0.1 (DNS rebinding). Browsers say so
in headers that a page cannot set: Host, Origin, Referer, Sec-Fetch-Site. AWS's clients send Host
alone.

Source: Fetch standard, sections 3.2 (`Origin`) and 4 (forbidden request-headers); W3C, Fetch
Metadata Request Headers, section 2.3 (`Sec-Fetch-Site`).
"""

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from kagimori.http.front import Handler, Respond
from kagimori.rules.request import RawAnswer, RawRequest

_JSON: Final = b"application/x-amz-json-1.1"
_FOREIGN: Final = (b"cross-site", b"same-site")


class OtherSites:
    """Refuses requests that a page of another site makes a browser send, and hands on the rest."""

    def __init__(self, others: Handler, hosts: Iterable[str]) -> None:
        self._others = others
        self._hosts = frozenset(host.strip("[]").lower() for host in hosts)

    def handle(self, raw: RawRequest, respond: Respond) -> None:
        """Answer one request."""
        why = self._why_not(dict(raw.headers))
        if why is None:
            self._others(raw, respond)
            return
        message = (
            f"kagimori dev does not answer {why}. Allow a name with --allow-host NAME "
            "(setting dev.hosts)."
        )
        body = {"__type": "AccessDeniedException", "message": message}
        respond(RawAnswer(403, msgspec.json.encode(body), _JSON))

    def _why_not(self, headers: dict[bytes, bytes]) -> str | None:
        host = headers.get(b"host")
        if host is not None and not self._is_ours(b"//" + host):
            return "requests under a name that is not this machine's"
        origin = headers.get(b"origin")
        if origin is not None:
            return None if self._is_ours(origin) else "web pages of other sites"
        if headers.get(b"sec-fetch-site", b"").lower() in _FOREIGN:
            return "web pages of other sites"
        referer = headers.get(b"referer")
        if referer is not None and not self._is_ours(referer):
            return "web pages of other sites"
        return None

    def _is_ours(self, url: bytes) -> bool:
        """Return whether a URL's host is this machine, by a name that nobody else can take."""
        try:
            host = (urlsplit(url.decode("ascii")).hostname or "").rstrip(".")
        except ValueError:
            return False
        if host in self._hosts or host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False
