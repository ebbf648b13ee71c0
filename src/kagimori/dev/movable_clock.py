"""The clock of `kagimori dev`, which a test moves forward so that it sees deadlines pass.

`GET /_kagimori/clock` shows its time; `POST {"advance_seconds": N}` moves it, and is answered when
all that is due by then is done.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from msgspec import Struct

from kagimori.http.front import Handler, Respond
from kagimori.machinery.clock import Clock
from kagimori.rules.request import RawAnswer, RawRequest

CLOCK_PATH: Final = b"/_kagimori/clock"
# As far as there are dates: beyond the year 9999 there is none to write into a record.
OFFSET_SECONDS_MAX: Final = 1_000 * 366 * 86_400
_JSON: Final = b"application/json"


class MovableClock(Clock):
    """The time of day plus an offset, in seconds, that only grows."""

    def __init__(self) -> None:
        self._offset_seconds = 0.0

    def now(self) -> float:
        return time.time() + self._offset_seconds

    def steady(self, on_jump: Callable[[float], None]) -> Callable[[], float]:
        """Return the time as it is: here it is moved on purpose."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock forward; time never runs back.

        Raises:
            ValueError: further than a thousand years.
        """
        offset = self._offset_seconds + max(0.0, seconds)
        if not offset <= OFFSET_SECONDS_MAX:
            raise ValueError("the clock does not go that far")
        self._offset_seconds = offset


class _Advance(Struct):
    advance_seconds: float


_decode_advance = msgspec.json.Decoder(_Advance).decode


class ClockDoor:
    """Answers requests for the clock's path, and hands on all others."""

    def __init__(
        self,
        clock: MovableClock,
        others: Handler,
        on_moved: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._clock = clock
        self._others = others
        self._on_moved = on_moved
        self._moving: set[asyncio.Task[None]] = set()

    def handle(self, raw: RawRequest, respond: Respond) -> None:
        """Answer one request."""
        if raw.target != CLOCK_PATH:
            self._others(raw, respond)
        elif raw.method == b"POST":
            self._advance(raw, respond)
        else:
            respond(self._page())

    def _advance(self, raw: RawRequest, respond: Respond) -> None:
        try:
            self._clock.advance(_decode_advance(raw.body).advance_seconds)
        except ValueError:
            respond(RawAnswer(400, b'{"error":"send {\\"advance_seconds\\": NUMBER}"}', _JSON))
            return
        moving = asyncio.get_running_loop().create_task(self._on_moved())
        self._moving.add(moving)

        def moved(done: asyncio.Task[None]) -> None:
            self._moving.discard(done)
            respond(self._page())

        moving.add_done_callback(moved)

    def _page(self) -> RawAnswer:
        return RawAnswer(200, msgspec.json.encode({"now": self._clock.now()}), _JSON)
