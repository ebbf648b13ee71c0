"""The front door in memory: a connection, a transport and a loop without a socket."""

from collections.abc import Callable

import pytest

from kagimori.http.cors import preflight
from kagimori.http.front import Front, Respond
from kagimori.rules.request import RawAnswer, RawRequest
from kagimori.server.doors import Doors
from kagimori.settings import FrontLimits

DATE = b"Tue, 02 Jan 2024 03:04:05 GMT"
GET = b"GET /a HTTP/1.1\r\nHost: kms\r\n\r\n"


class Loop:
    """A clock that is moved by hand, and callbacks that run when told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.soon: list[Callable[[], None]] = []
        self.faults: list[dict] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon.append(call)

    def call_exception_handler(self, context: dict) -> None:
        self.faults.append(context)

    def run_soon(self) -> None:
        due, self.soon = self.soon, []
        for call in due:
            call()


class Transport:
    """Remembers what was done to it."""

    def __init__(self) -> None:
        self.out = b""
        self.writes = 0
        self.closed = self.eof = self.aborted = self.paused = False

    def get_extra_info(self, name: str) -> object:
        return ("192.0.2.7", 4711) if name == "peername" else None

    def write(self, data: bytes) -> None:
        assert not self.closed
        assert not self.eof
        self.out += data
        self.writes += 1

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False


class Door:
    """A front with one connection, and a handler that answers at once or when told."""

    def __init__(
        self,
        limits: FrontLimits | None = None,
        *,
        hold: bool = False,
        reserve_pages: frozenset[bytes] = frozenset(),
    ) -> None:
        self.requests: list[RawRequest] = []
        self.held: list[Respond] = []
        self.refused: list[int] = []
        self.hold = hold
        self.loop = Loop()
        self.front = Front(
            self.handle,
            limits or FrontLimits(),
            new_request_id=lambda: f"id-{len(self.requests) + 1}",
            http_date=lambda: DATE,
            on_refused=self.refused.append,
            reserve_pages=reserve_pages,
        )
        self.transport = Transport()
        self.connection = self.connect(self.transport)

    def connect(self, transport: Transport):
        connection = self.front.connection(self.loop)
        connection.connection_made(transport)
        return connection

    def handle(self, request: RawRequest, respond: Respond) -> None:
        self.requests.append(request)
        if self.hold:
            self.held.append(respond)
        else:
            respond(RawAnswer(200, request.target + request.body))

    def feed(self, data: bytes, piece: int = 0) -> bytes:
        step = piece or max(1, len(data))
        for start in range(0, len(data), step):
            self.connection.data_received(data[start : start + step])
        return self.transport.out

    def pass_seconds(self, seconds: float) -> None:
        self.loop.now += seconds
        self.front.sweep(self.loop.now)


def post(*lines: bytes, body: bytes = b"", start: bytes = b"POST / HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: kms", *lines, b"", b""]) + body


def bodies(out: bytes) -> list[bytes]:
    """Take the answers apart: the bodies, in order; anything else in between fails."""
    found = []
    while out:
        head, out = out.split(b"\r\n\r\n", 1)
        if head == b"HTTP/1.1 100 Continue":
            found.append(b"100")
            continue
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        found.append(out[:length])
        out = out[length:]
    return found


# --- what is answered ----------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [0, 1, 7])
def test_a_request_arrives_whole_however_it_is_cut(piece):
    door = Door()
    message = post(b"X-A:  one\t", b"x-a: two", b"Content-Length: 5", body=b"hello")
    door.feed(message * 2, piece)
    assert len(door.requests) == 2
    first = door.requests[0]
    assert (first.method, first.target, first.body) == (b"POST", b"/", b"hello")
    assert first.headers == (
        (b"host", b"kms"),
        (b"x-a", b"one"),
        (b"x-a", b"two"),
        (b"content-length", b"5"),
    )
    assert (first.source_ip, first.tls, first.request_id) == ("192.0.2.7", None, "id-1")
    assert bodies(door.transport.out) == [b"/hello", b"/hello"]


def test_an_answer_has_the_fixed_headers_and_no_more():
    out = Door().feed(GET)
    assert sorted(out.split(b"\r\n")) == sorted(
        [
            b"HTTP/1.1 200 OK",
            b"x-amzn-RequestId: id-1",
            b"Content-Type: application/x-amz-json-1.1",
            b"Content-Length: 2",
            b"Cache-Control: no-cache, no-store, must-revalidate, private",
            b"Expires: 0",
            b"Pragma: no-cache",
            b"Date: " + DATE,
            b"",
            b"/a",
        ]
    )


def test_an_empty_answer_without_a_type_names_none():
    door = Door(hold=True)
    door.feed(GET)
    door.held[0](RawAnswer(204, b"", b""))
    assert b"Content-Type" not in door.transport.out
    assert door.transport.out.startswith(b"HTTP/1.1 204 No Content\r\n")


def test_head_is_answered_without_the_body():
    out = Door().feed(GET.replace(b"GET", b"HEAD"))
    assert b"Content-Length: 2\r\n" in out
    assert out.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("start", "line", "closes", "says"),
    [
        pytest.param(b"GET / HTTP/1.1", b"X: y", False, None, id="1.1 stays"),
        pytest.param(b"GET / HTTP/1.1", b"Connection: Close", True, b"close", id="1.1 close"),
        pytest.param(
            b"GET / HTTP/1.1", b"Connection: keep-alive, close", True, b"close", id="close wins"
        ),
        pytest.param(
            b"GET / HTTP/1.1", b"Proxy-Connection: close", True, b"close", id="the obsolete name"
        ),
        pytest.param(b"GET / HTTP/1.0", b"X: y", True, b"close", id="1.0 closes"),
        pytest.param(
            b"GET / HTTP/1.0", b"Connection: Keep-Alive", False, b"keep-alive", id="1.0 stays"
        ),
    ],
)
def test_keep_alive(start, line, closes, says):
    door = Door()
    out = door.feed(post(line, start=start))
    assert door.transport.closed is closes
    assert (b"Connection: " in out) is (says is not None)
    assert says is None or b"Connection: " + says + b"\r\n" in out
    if not closes:
        door.feed(post(line, start=start))
        assert len(door.requests) == 2


def test_http_1_0_needs_no_host():
    assert bodies(Door().feed(b"GET /x HTTP/1.0\r\n\r\n")) == [b"/x"]


def test_an_absolute_target_and_a_query_are_passed_as_received():
    door = Door()
    door.feed(post(start=b"GET http://kms/a?b=%2F&c HTTP/1.1"))
    assert door.requests[0].target == b"http://kms/a?b=%2F&c"


def test_one_empty_line_before_a_request_is_forgiven():
    door = Door()
    assert bodies(door.feed(b"\r\n" + GET + b"\r\n" + GET, piece=1)) == [b"/a", b"/a"]


@pytest.mark.parametrize("piece", [0, 1, 3])
def test_a_chunked_body_equals_a_plain_one(piece):
    door = Door()
    chunked = b"3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: dropped\r\n\r\n"
    door.feed(post(b"Transfer-Encoding: Chunked", body=chunked) + GET, piece)
    assert [request.body for request in door.requests] == [b"abc0123456789", b""]
    assert b"x-trailer" not in dict(door.requests[0].headers)


# --- order and flow ------------------------------------------------------------------------------


def test_answers_leave_in_the_order_of_the_requests():
    door = Door(hold=True)
    door.feed(b"".join(post(start=b"GET /%d HTTP/1.1" % number) for number in range(4)))
    assert door.front.requests_in_flight == 4
    for number in (2, 1, 3):
        door.held[number](RawAnswer(200, b"%d" % number))
    assert door.transport.out == b""
    door.held[0](RawAnswer(200, b"0"))
    assert bodies(door.transport.out) == [b"0", b"1", b"2", b"3"]
    assert door.transport.writes == 1
    assert door.front.requests_in_flight == 0


def test_a_second_answer_to_one_request_does_nothing():
    door = Door(hold=True)
    door.feed(GET)
    door.held[0](RawAnswer(200, b"once"))
    door.held[0](RawAnswer(200, b"twice"))
    assert bodies(door.transport.out) == [b"once"]
    assert door.front.requests_in_flight == 0


def test_reading_pauses_at_the_limit_and_goes_on_below_it():
    door = Door(FrontLimits(pipelined=3), hold=True)
    door.feed(GET * 5)
    assert (len(door.requests), door.transport.paused) == (3, True)
    door.held[1](RawAnswer(200, b""))
    assert len(door.requests) == 3
    door.held[0](RawAnswer(200, b""))
    assert (len(door.requests), door.transport.paused) == (5, False)


def test_one_turn_is_bounded_when_answers_are_immediate():
    door = Door(FrontLimits(pipelined=3))
    door.feed(GET * 7)
    assert (len(door.requests), door.transport.paused) == (3, True)
    door.loop.run_soon()
    door.loop.run_soon()
    assert (len(door.requests), door.transport.paused) == (7, False)
    assert door.loop.soon == []


def test_a_peer_that_does_not_read_is_not_read_and_at_last_cut():
    door = Door()
    door.connection.pause_writing()
    door.feed(GET)
    assert (door.requests, door.transport.paused) == ([], True)
    door.connection.resume_writing()
    assert (len(door.requests), door.transport.paused) == (1, False)
    door.connection.pause_writing()
    door.feed(GET)
    door.pass_seconds(80)
    assert door.transport.aborted


def test_a_handler_that_raises_costs_one_answer():
    door = Door()
    door.handle = None
    door.front = Front(
        lambda _request, _respond: 1 / 0,
        FrontLimits(),
        new_request_id=lambda: "id",
        http_date=lambda: DATE,
    )
    door.connection = door.connect(door.transport)
    assert door.feed(GET).startswith(b"HTTP/1.1 500 ")
    assert isinstance(door.loop.faults[0]["exception"], ZeroDivisionError)


# --- the 100 -------------------------------------------------------------------------------------


def test_a_client_that_waits_is_told_to_continue():
    door = Door()
    door.feed(post(b"Expect: 100-Continue", b"Content-Length: 2"))
    assert door.transport.out == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert bodies(door.feed(b"ok")) == [b"100", b"/ok"]


def test_the_100_waits_for_the_answers_before_it():
    door = Door(hold=True)
    door.feed(GET + post(b"Expect: 100-continue", b"Content-Length: 2"))
    assert door.transport.out == b""
    door.held[0](RawAnswer(200, b"first"))
    assert bodies(door.transport.out) == [b"first", b"100"]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        pytest.param(post(b"Expect: magic", b"Content-Length: 1"), 417, id="unknown"),
        pytest.param(post(b"Expect: 100-continue", b"Content-Length: 99"), 413, id="too large"),
    ],
)
def test_no_100_for_what_is_refused(message, status):
    door = Door(FrontLimits(body_bytes=98))
    assert door.feed(message).startswith(b"HTTP/1.1 %d " % status)


def test_no_100_where_none_is_awaited():
    door = Door()
    door.feed(post(b"Expect: 100-continue"))
    door.feed(post(b"Expect: 100-continue", b"Content-Length: 2", body=b"o") + b"k")
    assert bodies(door.transport.out) == [b"/", b"/ok"]


# --- refusals ------------------------------------------------------------------------------------

CHUNKED = b"Transfer-Encoding: chunked"
HOSTILE = {
    "length and coding": post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    "coding and length": post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 1", b"Content-Length: 2", body=b"ab"),
    "one length twice": post(b"Content-Length: 1", b"Content-Length: 1", body=b"a"),
    "a list of lengths": post(b"Content-Length: 1, 1", body=b"a"),
    "a signed length": post(b"Content-Length: +1", body=b"a"),
    "an empty length": post(b"Content-Length:", body=b"a"),
    "a hexadecimal length": post(b"Content-Length: 0x1", body=b"a"),
    "a spaced length": post(b"Content-Length: 1 1", body=b"a"),
    "coding gzip": post(b"Transfer-Encoding: gzip", body=b"a"),
    "coding identity": post(b"Transfer-Encoding: identity", body=b"a"),
    "coding gzip, chunked": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "coding chunked, chunked": post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "coding chunked twice": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "coding with a parameter": post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n"),
    "coding in quotes": post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "an empty coding": post(b"Transfer-Encoding:", body=b"0\r\n\r\n"),
    "coding in HTTP/1.0": post(CHUNKED, start=b"POST / HTTP/1.0", body=b"0\r\n\r\n"),
    "bare LF everywhere": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF after a header": b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: a\r\n\n\r\n\r\n",
    "bare CR after a header": b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "bare CR in a value": post(b"X: a\rb"),
    "NUL in a value": post(b"X: a\0b"),
    "control character in a value": post(b"X: a\x1bb"),
    "DEL in a value": post(b"X: a\x7fb"),
    "NUL in a name": post(b"X\0: a"),
    "a folded line": post(b"X: a", b" b"),
    "a folded first line": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "space before the colon": post(b"X : a"),
    "tab before the colon": post(b"X\t: a"),
    "space in a name": post(b"X Y: a"),
    "a bracket in a name": post(b"X(Y): a"),
    "a byte over 127 in a name": post(b"X\xe9: a"),
    "an empty name": post(b": a"),
    "no colon": post(b"X"),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a second host": post(b"Host: kms"),
    "a list of hosts": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "CONNECT": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "a lower-case method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unknown method": b"FETCH / HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces after the method": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces after the target": b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space after the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "a tab in the request line": b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a control character in the target": b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a byte over 127 in the target": b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a fragment": b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP in lower case": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "a long version": b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    "RTSP": b"DESCRIBE / RTSP/1.0\r\nHost: a\r\n\r\n",
    "ICE": b"SOURCE / ICE/1.0\r\nHost: a\r\n\r\n",
    "two empty lines first": b"\r\n\r\n" + GET,
    "a bare LF first": b"\n" + GET,
    "a bare CR first": b"\r" + GET,
    "a space first": b" " + GET,
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "chunk size in no digits": post(CHUNKED, body=b"x\r\n"),
    "chunk size with 0x": post(CHUNKED, body=b"0x1\r\na\r\n0\r\n\r\n"),
    "a negative chunk size": post(CHUNKED, body=b"-1\r\na\r\n0\r\n\r\n"),
    "an overflowing chunk size": post(CHUNKED, body=b"10000000000000001\r\na\r\n"),
    "space after the chunk size": post(CHUNKED, body=b"1 \r\na\r\n0\r\n\r\n"),
    "bare LF after the chunk size": post(CHUNKED, body=b"1\na\r\n0\r\n\r\n"),
    "bare LF after chunk data": post(CHUNKED, body=b"1\r\na\n0\r\n\r\n"),
    "chunk data too long": post(CHUNKED, body=b"1\r\nab\r\n0\r\n\r\n"),
    "bare LF in an extension": post(CHUNKED, body=b"1;a\nb\r\na\r\n0\r\n\r\n"),
    "bare CR in an extension": post(CHUNKED, body=b"1;a\rb\r\na\r\n0\r\n\r\n"),
    "NUL in an extension": post(CHUNKED, body=b"1;a\0b\r\na\r\n0\r\n\r\n"),
    "a length among the trailers": post(CHUNKED, body=b"0\r\nContent-Length: 5\r\n\r\n"),
    "a coding among the trailers": post(CHUNKED, body=b"0\r\nTransfer-Encoding: gzip\r\n\r\n"),
    "bare LF in the trailers": post(CHUNKED, body=b"0\r\nX: y\nZ: z\r\n\r\n"),
}


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_message_is_refused_and_reaches_no_handler(message, piece):
    door = Door()
    out = door.feed(message + GET, piece)
    assert out.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" in out
    assert bodies(out) == [b""]
    assert door.requests == []
    assert door.refused == [400]
    assert door.transport.eof


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", id="HTTP/1.2"),
        pytest.param(b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", id="HTTP/0.9 by name"),
    ],
)
def test_another_version_is_refused(message):
    assert Door().feed(message).startswith(b"HTTP/1.1 505 ")


SMALL = FrontLimits(head_bytes=200, headers=5, body_bytes=10)


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "byte by byte"])
@pytest.mark.parametrize(
    ("message", "status"),
    [
        pytest.param(post(b"X: " + b"a" * 200), 431, id="head too large"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"a" * 300, 431, id="head without end"),
        pytest.param(b"GET /" + b"a" * 300, 431, id="request line without end"),
        pytest.param(post(*[b"X: a"] * 5), 431, id="too many headers"),
        pytest.param(post(b"Content-Length: 11", body=b"a" * 11), 413, id="body too large"),
        pytest.param(post(b"Content-Length: " + b"9" * 16), 413, id="body beyond counting"),
        pytest.param(post(CHUNKED, body=b"b\r\n" + b"a" * 11), 413, id="one chunk too large"),
        pytest.param(
            post(CHUNKED, body=b"9\r\n123456789\r\n2\r\nab\r\n"),
            413,
            id="chunks together too large",
        ),
        pytest.param(
            post(CHUNKED, body=b"1;" + b"x" * 250 + b"\r\n"), 413, id="extensions without end"
        ),
        pytest.param(
            post(CHUNKED, body=b"0\r\n" + b"X: y\r\n" * 60), 413, id="trailers without end"
        ),
    ],
)
def test_what_is_too_large_is_refused(message, status, piece):
    door = Door(SMALL)
    assert door.feed(message, piece).startswith(b"HTTP/1.1 %d " % status)
    assert (door.requests, door.refused) == ([], [status])


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(post(b"X: " + b"a" * (200 - len(post(b"X: ")))), id="head"),
        pytest.param(post(*[b"X: a"] * 4), id="headers"),
        pytest.param(post(b"Content-Length: 10", body=b"a" * 10), id="body"),
        pytest.param(post(CHUNKED, body=b"a\r\n" + b"a" * 10 + b"\r\n0\r\n\r\n"), id="chunk"),
    ],
)
def test_what_is_as_large_as_allowed_is_answered(message):
    door = Door(SMALL)
    door.feed(message, 1)
    assert len(door.requests) == 1


def test_a_refusal_follows_the_answers_to_what_was_whole():
    door = Door(hold=True)
    door.feed(GET + b"nonsense\r\n\r\n" + GET)
    assert door.transport.out == b""
    door.held[0](RawAnswer(200, b"good"))
    assert bodies(door.transport.out) == [b"good", b""]
    assert len(door.requests) == 1


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        pytest.param(b"GET / HT", 11, id="in a first head"),
        pytest.param(GET + b"GET / HT", 11, id="in a later head"),
        pytest.param(post(b"Content-Length: 5", body=b"abc"), 31, id="in a body"),
        pytest.param(post(CHUNKED, body=b"5\r\nabc"), 31, id="in a chunk"),
    ],
)
def test_a_message_that_does_not_end_is_refused(sent, seconds):
    door = Door()
    door.feed(sent)
    door.pass_seconds(seconds - 2)
    assert door.refused == []
    # A trickle does not help.
    door.feed(b"a")
    door.pass_seconds(2)
    assert door.refused == [408]
    assert b"HTTP/1.1 408 Request Timeout\r\n" in door.transport.out


@pytest.mark.parametrize(
    ("sent", "seconds"), [pytest.param(b"", 11, id="at first"), pytest.param(GET, 76, id="later")]
)
def test_an_idle_connection_closes_without_a_word(sent, seconds):
    door = Door()
    out = door.feed(sent)
    door.pass_seconds(seconds - 2)
    assert not door.transport.closed
    door.pass_seconds(2)
    assert (door.transport.closed, door.transport.out, door.refused) == (True, out, [])


def test_a_handler_may_take_its_time():
    door = Door(hold=True)
    door.feed(GET)
    door.pass_seconds(10_000)
    door.held[0](RawAnswer(200, b"late"))
    assert bodies(door.transport.out) == [b"late"]


def test_a_refused_peer_is_heard_out_for_a_moment_only():
    door = Door()
    door.feed(b"nonsense\r\n\r\n")
    door.feed(GET)
    assert (door.transport.eof, door.transport.closed) == (True, False)
    door.pass_seconds(3)
    assert door.transport.aborted


# --- ends ----------------------------------------------------------------------------------------


def test_half_close_answers_what_was_whole_and_drops_the_rest():
    door = Door(hold=True)
    door.feed(GET + b"GET /b HT")
    assert door.connection.eof_received() is True
    door.held[0](RawAnswer(200, b"whole"))
    assert bodies(door.transport.out) == [b"whole"]
    assert b"Connection: close\r\n" in door.transport.out
    assert door.transport.closed or door.transport.eof


def test_half_close_of_an_idle_connection_closes_it():
    door = Door()
    door.feed(GET)
    assert not door.connection.eof_received()


def test_an_answer_for_a_peer_that_left_is_dropped():
    door = Door(hold=True)
    door.feed(GET * 2)
    door.connection.connection_lost(None)
    assert door.front.connections_open == 0
    assert door.front.requests_in_flight == 2
    for respond in door.held:
        respond(RawAnswer(200, b"nobody"))
    assert (door.front.requests_in_flight, door.transport.out) == (0, b"")


def test_one_connection_too_many_is_turned_away():
    door = Door(FrontLimits(connections=1), hold=True)
    door.feed(GET)
    second = Transport()
    door.connect(second)
    assert second.out.startswith(b"HTTP/1.1 503 ")
    assert second.closed
    assert door.front.connections_open == 1
    door.held.pop()(RawAnswer(200, b"/a"))
    assert bodies(door.transport.out) == [b"/a"]
    door.connection.connection_lost(None)
    third = Transport()
    door.connect(third)
    assert (third.out, door.front.connections_open) == (b"", 1)


SILENT = {
    "nothing": b"",
    "the beginning of a head": b"GET / HTTP/1.1\r\nHo",
    "the beginning of a body": post(b"Content-Length: 9", body=b"abc"),
    "a request that was answered": GET,
}


@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT.keys())
def test_who_asks_nothing_gives_way(sent):
    door = Door(FrontLimits(connections=1))
    door.feed(sent)
    second = Transport()
    connection = door.connect(second)
    assert door.transport.closed
    assert (second.out, second.closed) == (b"", False)
    door.connection.connection_lost(None)
    connection.data_received(GET)
    assert bodies(second.out) == [b"/a"]
    third = Transport()
    door.connect(third)
    assert second.closed, "the count of places is right again"
    assert third.out == b""


def test_who_does_not_read_gives_way():
    door = Door(FrontLimits(connections=1))
    door.feed(GET)
    door.connection.pause_writing()
    door.feed(GET)
    second = Transport()
    door.connect(second)
    assert door.transport.aborted
    assert second.out == b""


def test_the_longest_waiting_gives_way_and_who_asks_last_of_all():
    door = Door(FrontLimits(connections=3), hold=True)
    asks = door.transport
    door.feed(GET)
    old, new = Transport(), Transport()
    door.connect(old)
    door.loop.now += 1
    door.connect(new)
    fourth = Transport()
    door.connect(fourth)
    assert (asks.closed, old.closed, new.closed, fourth.closed) == (False, True, False, False)


def test_a_request_that_is_answered_is_not_dropped_for_the_head_behind_it():
    door = Door(FrontLimits(connections=1), hold=True)
    door.feed(GET + b"GET / HT")
    second = Transport()
    door.connect(second)
    assert second.out.startswith(b"HTTP/1.1 503 ")
    assert not door.transport.closed


def test_silent_peers_keep_nobody_out():
    door = Door(FrontLimits(connections=200))
    peers = {}
    for _ in range(600):
        transport = Transport()
        peers[transport] = door.connect(transport)
        for gone in [one for one in peers if one.closed]:
            peers.pop(gone).connection_lost(None)
    caller = Transport()
    door.connect(caller).data_received(GET)
    assert bodies(caller.out) == [b"/a"]
    assert 503 not in door.refused
    assert door.front.connections_open <= 200


OFFERS = {
    "h2c": [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAM"],
    "websocket": [b"UPGRADE: websocket", b"connection: upgrade"],
    "without Connection": [b"Upgrade: h2c"],
}


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS.keys())
def test_an_offer_to_upgrade_is_ignored(offer, piece):
    """The request is answered as it stands, and the connection goes on (RFC 9110, 7.8)."""
    door = Door()
    sent = [
        b"GET /a HTTP/1.1\r\nHost: kms\r\n" + b"\r\n".join([*offer, b"", b""]),
        post(*offer, b"Content-Length: 3", body=b"abc"),
        post(*offer, b"Transfer-Encoding: chunked", body=b"2\r\nde\r\n0\r\n\r\n"),
        GET,
    ]
    door.feed(b"".join(sent), piece)
    while door.loop.soon:
        door.loop.run_soon()
    out = door.transport.out
    assert out.count(b"HTTP/1.1 200") == 4
    assert [(request.target, request.body) for request in door.requests] == [
        (b"/a", b""),
        (b"/", b"abc"),
        (b"/", b"de"),
        (b"/a", b""),
    ]
    assert b"upgrade" in dict(door.requests[1].headers)
    assert not door.transport.closed


def test_an_offer_to_upgrade_excuses_nothing():
    for line in (b"Content-Length: x", b"X : a", b"Host: b", b"Transfer-Encoding: gzip"):
        door = Door()
        door.feed(post(*OFFERS["h2c"], line))
        assert not door.requests
        assert door.refused == [400]


# --- HTTP/2 ---------------------------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("after", [b"", SETTINGS])
def test_a_client_that_begins_with_http2_is_told_to_use_another_version(piece, after):
    """Source: RFC 9113, sections 3.4, 6.8 and 7 (HTTP_1_1_REQUIRED)."""
    door = Door()
    out = door.feed(PREFACE + after, piece)
    assert out.startswith(SETTINGS)
    length, kind, stream = int.from_bytes(out[9:12], "big"), out[12], out[14:18]
    goaway = out[18:]
    assert (kind, stream, len(goaway)) == (7, bytes(4), length)
    assert goaway[:4] == bytes(4)
    assert int.from_bytes(goaway[4:8], "big") == 0xD
    assert door.refused == [505]
    assert door.requests == []


def test_http2_as_the_version_of_a_request_is_refused_in_http1():
    assert Door().feed(b"GET / HTTP/2.0\r\nHost: kms\r\n\r\n").startswith(b"HTTP/1.1 505 ")


# --- other origins --------------------------------------------------------------------------------


def asked(method: bytes, *headers: tuple[bytes, bytes]) -> RawRequest:
    return RawRequest("id", method, b"/", headers, b"", "127.0.0.1")


ORIGIN = (b"origin", b"https://app.example.org")
WANTED = (b"access-control-request-method", b"POST")


def test_a_preflight_is_answered_with_what_it_asks_for():
    names = b"amz-sdk-invocation-id,amz-sdk-request,authorization,content-type,x-amz-date"
    answer = preflight(
        asked(b"OPTIONS", ORIGIN, WANTED, (b"access-control-request-headers", names))
    )
    assert answer == RawAnswer(
        200,
        b"",
        b"",
        b"Access-Control-Allow-Origin: *\r\n"
        b"Access-Control-Allow-Methods: POST\r\n"
        b"Access-Control-Allow-Headers: " + names + b"\r\n"
        b"Access-Control-Max-Age: 172800\r\n",
    )


@pytest.mark.parametrize(
    "request_",
    [
        asked(b"POST", ORIGIN, WANTED),
        asked(b"OPTIONS", ORIGIN),
        asked(b"OPTIONS", WANTED),
        asked(b"OPTIONS", ORIGIN, (WANTED[0], b"")),
        asked(b"OPTIONS", ORIGIN, (WANTED[0], b"<script>")),
        asked(b"OPTIONS", ORIGIN, WANTED, (b"access-control-request-headers", b"a\xff")),
        asked(b"OPTIONS", ORIGIN, WANTED, (b"access-control-request-headers", b"a: b")),
    ],
)
def test_what_is_no_preflight(request_):
    assert preflight(request_) is None


def test_only_a_request_with_an_origin_gets_headers_for_it():
    given: list[RawAnswer] = []
    plain = RawAnswer(200, b"{}")
    doors = Doors(lambda raw, respond: respond(plain), list)
    doors.handle(asked(b"POST"), given.append)
    doors.handle(asked(b"POST", ORIGIN), given.append)
    assert given[0] is plain
    assert given[1].headers == (
        b"Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: "
        b"x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date\r\n"
    )


def test_further_headers_stand_before_the_body():
    door = Door(hold=True)
    door.feed(post(b"Content-Length: 0"))
    door.held[0](RawAnswer(200, b"body", b"text/plain", b"X-More: 1\r\n"))
    head, body = door.transport.out.split(b"\r\n\r\n")
    assert b"\r\nX-More: 1\r\n" in head
    assert body == b"body"


def test_no_text_of_an_exchange_shows_its_answer():
    door = Door(hold=True)
    door.feed(post(b"Content-Length: 0"))
    door.feed(post(b"Content-Length: 0"))
    door.held[1](RawAnswer(200, b"planted secret"))
    assert repr(door.held[1]) == "<Exchange id-2>"
