"""Sends each request to the API or to the health pages."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from kagimori.http.cors import ORIGIN, preflight, readable
from kagimori.http.front import Handler, Respond
from kagimori.rules.request import RawAnswer, RawRequest

# Answered even when all places are taken by peers whose requests are in flight.
HEALTH_PAGES: Final = frozenset({b"/healthz", b"/readyz"})
_JSON: Final = b"application/json"
_NOT_FOUND: Final = RawAnswer(
    404, b"<html><body><h1>404 Not Found</h1></body></html>", b"text/html"
)


class Doors:
    """Sends each request where it belongs."""

    def __init__(
        self,
        api: Handler,
        troubles: Callable[[], list[str]],
        reasons: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._api = api
        self._troubles = troubles
        self._reasons = reasons

    def handle(self, raw: RawRequest, respond: Respond) -> None:
        """Answer one request."""
        is_form = raw.target.startswith(b"/?")  # Query services take forms in URLs as well
        if (raw.method == b"POST" and (raw.target == b"/" or is_form)) or (
            raw.method == b"GET" and is_form
        ):
            names = dict(raw.headers) if raw.values is None else raw.values
            self._api(raw, readable(respond) if ORIGIN in names else respond)
        else:
            respond(self._page(raw))

    def _page(self, raw: RawRequest) -> RawAnswer:
        if raw.target == b"/" or raw.target.startswith(b"/?"):
            return preflight(raw) or _NOT_FOUND
        if raw.method not in (b"GET", b"HEAD"):
            return _NOT_FOUND
        if raw.target == b"/healthz":
            return RawAnswer(200, b'{"status":"alive"}', _JSON)
        if raw.target == b"/readyz":
            troubles = self._troubles()
            body: dict[str, Any] = {
                "status": "not ready" if troubles else "ready",
                "troubles": troubles,
            }
            if troubles and (reasons := self._reasons()):
                body["reasons"] = reasons
            return RawAnswer(503 if troubles else 200, msgspec.json.encode(body), _JSON)
        return _NOT_FOUND
