"""Which door a request goes through: the API, the health pages, or (in `dev`) the clock."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from kagimori.front.http import Handler, Respond
from kagimori.machinery.clock import Clock, MovableClock
from kagimori.rules.request import RawAnswer, RawRequest

_JSON: Final = b"application/json"
_NOT_FOUND: Final = RawAnswer(404, b"<html><body><h1>404 Not Found</h1></body></html>", b"text/html")
CLOCK_PATH: Final = b"/_kagimori/clock"


class _Advance(Struct):
    advance_seconds: float


_decode_advance = msgspec.json.Decoder(_Advance).decode


class Doors:
    """Sends each request where it belongs."""

    def __init__(self, api: Handler, troubles: Callable[[], list[str]], clock: Clock) -> None:
        self._api = api
        self._troubles = troubles
        self._clock = clock

    def handle(self, raw: RawRequest, respond: Respond) -> None:
        """Answer one request."""
        if raw.method == b"POST" and (raw.target == b"/" or raw.target.startswith(b"/?")):
            self._api(raw, respond)
        else:
            respond(self._page(raw))

    def _page(self, raw: RawRequest) -> RawAnswer:
        if raw.target == CLOCK_PATH and isinstance(self._clock, MovableClock):
            return self._move_clock(self._clock, raw)
        if raw.method not in (b"GET", b"HEAD"):
            return _NOT_FOUND
        if raw.target == b"/healthz":
            return RawAnswer(200, b'{"status":"alive"}', _JSON)
        if raw.target == b"/readyz":
            troubles = self._troubles()
            body = {"status": "not ready" if troubles else "ready", "troubles": troubles}
            return RawAnswer(503 if troubles else 200, msgspec.json.encode(body), _JSON)
        return _NOT_FOUND

    @staticmethod
    def _move_clock(clock: MovableClock, raw: RawRequest) -> RawAnswer:
        if raw.method == b"POST":
            try:
                clock.advance(_decode_advance(raw.body).advance_seconds)
            except ValueError:
                why = b'{"error":"send {\\"advance_seconds\\": NUMBER}"}'
                return RawAnswer(400, why, _JSON)
        return RawAnswer(200, msgspec.json.encode({"now": clock.now()}), _JSON)
