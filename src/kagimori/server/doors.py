"""Which door a request goes through: the API, the health pages, or (in `dev`) the clock."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from msgspec import Struct

from kagimori.http.cors import preflight, readable
from kagimori.http.front import Handler, Respond
from kagimori.machinery.clock import Clock, MovableClock
from kagimori.rules.request import RawAnswer, RawRequest

_JSON: Final = b"application/json"
_NOT_FOUND: Final = RawAnswer(
    404, b"<html><body><h1>404 Not Found</h1></body></html>", b"text/html"
)
CLOCK_PATH: Final = b"/_kagimori/clock"


class _Advance(Struct):
    advance_seconds: float


_decode_advance = msgspec.json.Decoder(_Advance).decode


class Doors:
    """Sends each request where it belongs."""

    def __init__(
        self,
        api: Handler,
        troubles: Callable[[], list[str]],
        clock: Clock,
        *,
        pages: bool = True,
        on_clock_moved: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Hand requests for the API to `api`; `pages` of other origins may read its answers."""
        self._api = api
        self._pages = pages
        self._troubles = troubles
        self._clock = clock
        self._on_clock_moved = on_clock_moved
        self._moving: set[asyncio.Task[None]] = set()

    def handle(self, raw: RawRequest, respond: Respond) -> None:
        """Answer one request."""
        is_form = raw.target.startswith(b"/?")  # Query services take forms in URLs as well
        if (raw.method == b"POST" and (raw.target == b"/" or is_form)) or (
            raw.method == b"GET" and is_form
        ):
            self._api(raw, readable(raw, respond) if self._pages else respond)
        elif raw.target == CLOCK_PATH and isinstance(self._clock, MovableClock):
            self._at_clock(self._clock, raw, respond)
        else:
            respond(self._page(raw))

    def _page(self, raw: RawRequest) -> RawAnswer:
        if self._pages and (raw.target == b"/" or raw.target.startswith(b"/?")):
            return preflight(raw) or _NOT_FOUND
        if raw.method not in (b"GET", b"HEAD"):
            return _NOT_FOUND
        if raw.target == b"/healthz":
            return RawAnswer(200, b'{"status":"alive"}', _JSON)
        if raw.target == b"/readyz":
            troubles = self._troubles()
            body = {"status": "not ready" if troubles else "ready", "troubles": troubles}
            return RawAnswer(503 if troubles else 200, msgspec.json.encode(body), _JSON)
        return _NOT_FOUND

    def _at_clock(self, clock: MovableClock, raw: RawRequest, respond: Respond) -> None:
        """Tell the time, or move it: answered when all that is due by then is done."""
        if raw.method != b"POST":
            respond(_time_page(clock))
            return
        try:
            clock.advance(_decode_advance(raw.body).advance_seconds)
        except ValueError:
            respond(RawAnswer(400, b'{"error":"send {\\"advance_seconds\\": NUMBER}"}', _JSON))
            return
        moving = asyncio.get_running_loop().create_task(self._on_clock_moved())
        self._moving.add(moving)

        def moved(done: asyncio.Task[None]) -> None:
            self._moving.discard(done)
            respond(_time_page(clock))

        moving.add_done_callback(moved)


def _time_page(clock: MovableClock) -> RawAnswer:
    return RawAnswer(200, msgspec.json.encode({"now": clock.now()}), _JSON)
