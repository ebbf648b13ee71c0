"""One request in flight: the handler's way to answer it, in whatever order."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from kagimori.http.answers import CLOSE, KEEP_ALIVE, NOTHING, AnswerHeads
from kagimori.http.bodies import Bodies
from kagimori.http.life import seconds_of
from kagimori.http.room import RESERVE, Places
from kagimori.rules.request import RawAnswer, RawRequest
from kagimori.settings import FrontLimits

if TYPE_CHECKING:
    from kagimori.http.connection import Connection
    from kagimori.http.handshake import Handshake

Respond = Callable[[RawAnswer], None]
Handler = Callable[[RawRequest, Respond], None]


class Shared:
    """The state that all connections of one front share."""

    __slots__ = (
        "bodies",
        "connections",
        "draining",
        "handler",
        "heads",
        "in_flight",
        "limits",
        "new_request_id",
        "on_last_gone",
        "on_refused",
        "places",
        "reserve_pages",
        "seconds",
    )

    def __init__(
        self,
        handler: Handler,
        limits: FrontLimits,
        heads: AnswerHeads,
        *,
        new_request_id: Callable[[], str],
        on_refused: Callable[[int], None] | None,
        reserve_pages: frozenset[bytes] = frozenset(),
    ) -> None:
        self.handler = handler
        self.reserve_pages = reserve_pages
        self.places = Places(limits, reserve=RESERVE if reserve_pages else 0)
        self.limits = limits
        self.heads = heads
        self.new_request_id = new_request_id
        self.on_refused = on_refused
        self.on_last_gone: Callable[[], None] | None = None
        self.connections: set[Connection | Handshake] = set()
        self.bodies = Bodies(limits)
        self.seconds = seconds_of(limits)
        self.in_flight = 0
        self.draining = False


class Exchange(Struct, eq=False):
    """A place in a connection's line; called with the answer, once. Later calls do nothing.

    `held` are the bytes of the request's body that count until it is answered.
    """

    connection: "Connection | None"
    request_id: str
    bodiless: bool
    modern: bool
    keep: bool
    held: int = 0
    out: bytes | None = None

    def __repr__(self) -> str:
        # INVARIANT(no-secret-in-sight): the answer may hold a plaintext.
        return f"<Exchange {self.request_id}>"

    def __call__(self, answer: RawAnswer) -> None:
        """Write the answer, or hold it until those before it are written.

        Harmless when the peer has gone.
        """
        connection = self.connection
        if connection is None:
            return
        self.connection = None
        shared = connection.shared
        shared.in_flight -= 1
        if self.held:
            shared.bodies.hold(connection.peer, -self.held)
        kept = NOTHING if self.modern else KEEP_ALIVE
        mode = kept if self.keep else CLOSE
        self.out = shared.heads.answer(answer, self.request_id, mode, bodiless=self.bodiless)
        connection.answered()


class Notice:
    """A place in line for bytes of the front's own: a 100, or a refusal."""

    __slots__ = ("keep", "out")

    def __init__(self, out: bytes, *, keep: bool) -> None:
        self.out: bytes | None = out
        self.keep = keep
