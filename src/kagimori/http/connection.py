"""One connection: passes whole requests to the handler, and writes answers in their order.

A turn takes whole requests from what has been read, hands each over, and writes in one piece
what is answered by then. Nothing is read while too much is in flight, or while the peer does not
read its answers. Which state follows on what is in `life.py`. No timer of its own: the front's
sweep looks at `deadline`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final, cast

from kagimori.http.answers import CONTINUE, HTTP_1_1_REQUIRED
from kagimori.http.bodies import FREE_BYTES
from kagimori.http.exchange import Exchange, Notice, Shared
from kagimori.http.head import Refused
from kagimori.http.life import LIFE, Act, Event, State
from kagimori.http.message import MessageReader
from kagimori.http.peer import network_of, source_ip, tls_details
from kagimori.http.room import Place
from kagimori.rules.request import RawAnswer, RawRequest, TlsDetails

if TYPE_CHECKING:
    from kagimori.http.handshake import Handshake

EMPTY_LINE_BEGUN: Final = (b"", b"\r", b"\r\n")
# Members that every request needs: to look one up in its class takes five times as long.
_LAST, _GONE, _OWING = State.LAST, State.GONE, State.OWING
_REQUEST_TAKEN, _LAST_REQUEST_TAKEN = Event.REQUEST_TAKEN, Event.LAST_REQUEST_TAKEN
_ANSWERS_OWED, _NOTHING_OWED = Event.ANSWERS_OWED, Event.NOTHING_OWED
_NO_ACT, _KEEP_CLOCK = Act.NONE, Act.KEEP_CLOCK


class Connection(asyncio.Protocol):
    """The protocol object of one accepted socket."""

    __slots__ = (
        "_handler",
        "_handshake",
        "_held",
        "_line",
        "_loop",
        "_paused",
        "_reader",
        "_stuffed",
        "_tls",
        "_transport",
        "_turning",
        "_unread",
        "deadline",
        "is_leaving",
        "peer",
        "place",
        "shared",
        "source_ip",
        "state",
    )

    _transport: asyncio.Transport

    def __init__(
        self, shared: Shared, loop: asyncio.AbstractEventLoop, handshake: "Handshake | None" = None
    ) -> None:
        self.shared = shared
        self._handshake = handshake
        self.deadline = inf
        self._loop = loop
        self._reader = MessageReader(shared.limits)
        self._line: deque[Exchange | Notice] = deque()
        self._unread = b""
        self.state = State.FRESH
        self.source_ip = self.peer = ""
        self.place = Place.NONE
        self._handler: Callable[[RawRequest, Exchange], None] = shared.handler
        self._held = 0  # bytes of an unfinished body that are counted
        self._tls: TlsDetails | None = None
        # Reading is paused; the peer's side of the socket is full; a turn is under way.
        self._paused = self._stuffed = self._turning = False
        self.is_leaving = False

    # --- what the transport says -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the peer, or turn it away: 503 if there is no room and nobody gives way."""
        self._transport = transport = cast("asyncio.Transport", transport)
        shared = self.shared
        self.source_ip = source_ip(transport)
        self.peer = network_of(self.source_ip)
        if self._handshake is not None:  # which has been admitted
            self._take_over(self._handshake)
        elif not shared.draining:
            self.place = shared.places.admit(self, shared.connections)
        if self.place is Place.NONE:
            self._note(503)
            transport.write(shared.heads.refusal(503))
            self._on(Event.TURNED_AWAY)
            return
        if self.place is Place.RESERVE:
            self._handler = self._handle_in_reserve
        shared.connections.add(self)
        self._tls = tls_details(transport)
        self.deadline = self._loop.time() + shared.seconds[State.FRESH]

    def _take_over(self, handshake: "Handshake") -> None:
        self._handshake = None
        self.shared.places.hand_over(handshake, self)
        self.shared.connections.discard(handshake)

    def data_received(self, data: bytes) -> None:
        """Take the bytes; answer the whole requests among them."""
        if self.state >= _LAST:
            return
        self._unread = self._unread + data if self._unread else data
        self.turn()

    def eof_received(self) -> bool:
        """Answer the whole requests, then close; a part of a message is dropped."""
        is_owed = bool(self._line)
        self._on(Event.PEER_ENDED_OWED if is_owed else Event.PEER_ENDED)
        # asyncio cannot keep one half of a TLS connection open.
        return is_owed and self._tls is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the peer; answers still to come are dropped."""
        shared = self.shared
        self._on(Event.LOST)
        self._line.clear()
        self._unread = b""
        self._hold(0)
        if self in shared.connections:
            shared.connections.remove(self)
            shared.places.release(self)
            if not shared.connections and shared.on_last_gone is not None:
                shared.on_last_gone()

    def pause_writing(self) -> None:
        """Take no more requests: the peer does not read its answers."""
        self._stuffed = True

    def resume_writing(self) -> None:
        """Go on: the peer reads again."""
        self._stuffed = False
        self.turn()

    # --- what the front and the exchanges say ----------------------------------------------------

    def answered(self) -> None:
        """Write the answers that are ready, and go on; within a turn, its end does it."""
        if self._turning or self.state is _GONE or self._transport.is_closing():
            return
        if self._line[0].out is not None:
            self._write_ready()
        if self._unread:
            self.turn()
        elif self.state < _LAST:
            self._settle(held=False)

    def expire(self) -> None:
        """The deadline has passed: 408 for a message begun, else a close without a word."""
        if self._transport.is_closing():
            self.abort()
        else:
            self._on(Event.EXPIRED)

    def retire(self) -> None:
        """Close after the requests in flight; a message begun is still read, as the last one."""
        if not self._has_begun() and not self._transport.is_closing():
            self._on(Event.RETIRED_OWING if self._line else Event.RETIRED)

    def may_give_way(self) -> bool:
        """Return whether nothing is being done for the peer that it would still read."""
        reads = self.state < _LAST and self.state is not State.STUFFED
        return not self.is_leaving and not (reads and self._line)

    def give_way(self) -> None:
        """End for another peer's sake: a connection that waits for its next request is closed."""
        self.is_leaving = True
        self.shared.places.release(self)
        if self._tls is None:
            self._on(Event.PUSHED)
        else:
            self.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    # --- a turn ----------------------------------------------------------------------------------

    def turn(self) -> None:
        """Take requests until bytes, room or this turn's share run out; write; set the clock."""
        if self._turning or self.state >= _LAST or self._transport.is_closing():
            return
        self._turning = True
        held = bool(self._unread) and self._take_requests()
        self._turning = False
        if (self._reader.in_body or self._held) and self.state < _LAST:
            self._count_body()
        if self._line and self._line[0].out is not None:
            self._write_ready()
        if self.state < _LAST:
            self._settle(held=held)

    def _count_body(self) -> None:
        """Count the bytes held of an unfinished body; refuse it when too many are held."""
        held = self._reader.held if self._reader.in_body else 0
        if not self._hold(max(0, held - FREE_BYTES)):
            self._hold(0)
            self._reader = MessageReader(self.shared.limits)  # and with it what it kept
            self._refuse(503)

    def _hold(self, count: int) -> bool:
        more, self._held = count - self._held, count
        return not more or self.shared.bodies.hold(self.peer, more)

    def _take_requests(self) -> bool:
        """Hand over the whole requests; return whether bytes are held back, not just missing."""
        data = self._unread
        size = len(data)
        position = 0
        reader = self._reader
        line = self._line
        # One read may hold thousands of small requests: other connections get their turn too.
        room_max = share = self.shared.limits.pipelined
        held = False
        try:
            while position < size and self.state < _LAST:
                if not reader.in_body and (share == 0 or self._stuffed or len(line) >= room_max):
                    held = True
                    break
                after = reader.take(data, position)
                if after < 0:
                    break
                position = after
                if reader.whole:
                    share -= 1
                    self._hand_over(reader)
                elif reader.awaits_continue:
                    reader.awaits_continue = False
                    # A client that has already sent some of the body does not wait.
                    if position == size:
                        line.append(Notice(CONTINUE, keep=True))
        except Refused as refused:
            self._refuse(refused.status, speaks_http2=refused.speaks_http2)
        self._unread = data[position:] if position < size else b""
        return held

    def _hand_over(self, reader: MessageReader) -> None:
        """Give a whole request its place in line, and the handler."""
        shared = self.shared
        request_id = shared.new_request_id()
        keep = reader.keep and not shared.draining
        exchange = Exchange(
            self,
            request_id,
            bodiless=reader.method == b"HEAD",
            modern=reader.modern,
            keep=keep,
        )
        request = RawRequest(
            request_id,
            reader.method,
            reader.target,
            reader.headers,
            reader.body,
            self.source_ip,
            self._tls,
            reader.values,
        )
        beyond = len(reader.body) - FREE_BYTES
        if beyond > 0:
            exchange.held = beyond
            shared.bodies.hold(self.peer, beyond)
        self._line.append(exchange)
        shared.in_flight += 1
        self._on(_REQUEST_TAKEN if keep else _LAST_REQUEST_TAKEN)
        try:
            self._handler(request, exchange)
        except Exception as fault:  # noqa: BLE001 - a handler must not raise; if it does, it is one answer
            self._blame(exchange, fault)

    def _handle_in_reserve(self, request: RawRequest, exchange: Exchange) -> None:
        """Answer one health page, or 503: all places are taken by peers that are answered."""
        exchange.keep = False
        self._on(_LAST_REQUEST_TAKEN)
        if request.target in self.shared.reserve_pages:
            self.shared.handler(request, exchange)
        else:
            self._note(503)
            exchange(RawAnswer(503, b"", b""))

    def _blame(self, exchange: Exchange, fault: Exception) -> None:
        """Answer 500 for a handler that broke its word, and report it."""
        exchange(RawAnswer(500, b"", b""))
        self._loop.call_exception_handler(
            {"message": "the request handler raised", "exception": fault, "protocol": self}
        )

    def _refuse(self, status: int, *, speaks_http2: bool = False) -> None:
        """Put a refusal in line, after the answers to what was whole; nothing follows it."""
        self._note(status)
        self._on(Event.REFUSED)
        refusal = HTTP_1_1_REQUIRED if speaks_http2 else self.shared.heads.refusal(status)
        self._line.append(Notice(refusal, keep=False))

    def _note(self, status: int) -> None:
        if self.shared.on_refused is not None:
            self.shared.on_refused(status)

    def _write_ready(self) -> None:
        """Write, in one piece, the answers at the front of the line."""
        line = self._line
        ready = []
        keep = True
        refused = False
        while line and (out := line[0].out) is not None:
            place = line.popleft()
            ready.append(out)
            keep = place.keep
            refused = type(place) is Notice
        self._transport.write(ready[0] if len(ready) == 1 else b"".join(ready))
        if not keep and not self._transport.is_closing():
            may_come = (refused or self._unread) and self._tls is None
            self._on(Event.LAST_WRITTEN_UNREAD if may_come else Event.LAST_WRITTEN)

    # --- the life of the connection --------------------------------------------------------------

    def _on(self, event: Event) -> None:
        """Go where the table leads, and act: a state that is entered sets its own deadline."""
        state, act = LIFE[self.state][event]
        if state is not self.state:
            self.state = state
            if act is not _KEEP_CLOCK:
                seconds = self.shared.seconds[state]
                self.deadline = inf if seconds == inf else self._loop.time() + seconds
        if act is not _NO_ACT and act is not _KEEP_CLOCK:
            _ACTS[act](self)

    def _settle(self, *, held: bool) -> None:
        """End a turn: find what is waited for now, and pause or go on reading."""
        if self._stuffed:
            self._on(Event.PEER_IS_FULL)
        elif held:
            self._on(Event.BYTES_HELD_BACK)
            if len(self._line) < self.shared.limits.pipelined:
                self._loop.call_soon(self.turn)
        elif self._reader.in_body:
            self._on(Event.BODY_BEGUN)
        elif self._unread not in EMPTY_LINE_BEGUN:
            self._on(Event.HEAD_BEGUN)
        elif not self._line:
            self._on(_NOTHING_OWED)
        elif self.state is not _OWING:  # as it is since the request was taken
            self._on(_ANSWERS_OWED)
        pause = held or self._stuffed
        if pause != self._paused and not self._transport.is_closing():
            self._paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _has_begun(self) -> bool:
        """Return whether a message has begun; one empty line before it does not count."""
        return self._reader.in_body or self._unread not in EMPTY_LINE_BEGUN

    def _mark_last(self) -> None:
        """Make the last place in line the last answer."""
        self._line[-1].keep = False

    def _time_out(self) -> None:
        """Answer a message that did not come to its end in time."""
        self._refuse(408)
        if self._line[0].out is not None:
            self._write_ready()

    def _linger(self) -> None:
        """Close our half, and drop what still comes for a moment.

        Closing a socket with unread bytes resets it, and the peer may lose the answer.
        """
        self._unread = b""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._transport.write_eof()

    def _close(self) -> None:
        """Close once everything is written; the deadline is for a peer that does not read it."""
        self._transport.close()


_ACTS: Final = {
    Act.REFUSE: Connection._time_out,  # noqa: SLF001 - the class's own, which the table names
    Act.MARK_LAST: Connection._mark_last,  # noqa: SLF001
    Act.CLOSE: Connection._close,  # noqa: SLF001
    Act.LINGER: Connection._linger,  # noqa: SLF001
    Act.ABORT: Connection.abort,
}
