"""The front door against any bytes, and against any cutting of good ones.

Laws: nothing escapes `data_received`; a request is answered at most once, in order; how the bytes
are cut changes nothing; a chunked body is the same request as a plain one.
"""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kagimori.http.front import Front
from kagimori.rules.request import RawAnswer
from kagimori.settings import FrontLimits

LIMITS = FrontLimits(head_bytes=400, headers=8, body_bytes=64, pipelined=4)


class Loop:
    """Callbacks that are run when nothing else is to be done."""

    def __init__(self):
        self.soon = []

    def time(self):
        return 0.0

    def call_soon(self, call):
        self.soon.append(call)

    def run(self):
        while self.soon:
            self.soon.pop(0)()


class Transport:
    """Keeps what is written, and whether it may still be."""

    def __init__(self):
        self.out = b""
        self.ended = self.paused = False

    def get_extra_info(self, name):
        return ("::1", 1, 0, 0) if name == "peername" else None

    def write(self, data):
        assert not self.ended
        self.out += data

    def close(self):
        self.ended = True

    write_eof = abort = close

    def is_closing(self):
        return False

    def pause_reading(self):
        assert not self.paused
        self.paused = True

    def resume_reading(self):
        assert self.paused
        self.paused = False


def serve(pieces, hold=None):
    """Feed the pieces; return the requests, the statuses and ids answered, and the refusals.

    With `hold` (a random.Random) the handler answers later and in any order.
    """
    requests, waiting, refused = [], [], []
    loop, transport = Loop(), Transport()

    def handle(request, respond):
        requests.append(request)
        if hold is None:
            respond(RawAnswer(200, b""))
        else:
            waiting.append(respond)

    def settle():
        loop.run()
        while waiting:
            waiting.pop(hold.randrange(len(waiting)))(RawAnswer(200, b""))
            loop.run()

    front = Front(
        handle,
        LIMITS,
        new_request_id=lambda: f"id-{len(requests)}",
        http_date=lambda: b"now",
        on_refused=refused.append,
    )
    connection = front.connection(loop)
    connection.connection_made(transport)
    for piece in pieces:
        # A paused transport delivers nothing.
        if transport.paused or (hold is not None and hold.random() < 0.5):
            settle()
        connection.data_received(piece)
    settle()
    assert front.requests_in_flight == 0
    connection.eof_received()
    connection.connection_lost(None)
    assert front.connections_open == 0
    heads = [head for head in transport.out.split(b"\r\n\r\n") if head]
    ids = [
        int(line.rpartition(b"-")[2])
        for head in heads
        for line in head.split(b"\r\n")
        if line.startswith(b"x-amzn-RequestId")
    ]
    assert ids == list(range(len(requests))), "every request is answered once, in order"
    said = [_without_id(request) for request in requests]
    return said, [int(head[9:12]) for head in heads if b" 100 " not in head[:14]], refused


def _without_id(request):
    return request.method, request.target, request.headers, request.body


def cut(data, places):
    """Cut the bytes at the places, each modulo their length."""
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(edges)]


PLACES = st.lists(st.integers(0, 2000), max_size=12)
TOKEN = st.text("abcXYZ-_019", min_size=1, max_size=8).map(lambda name: b"X" + name.encode())
VALUE = st.text(
    st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"), max_size=12
).map(lambda text: text.encode("latin-1"))
EXTRA = st.lists(st.tuples(TOKEN, VALUE), max_size=4)
BODY = st.binary(max_size=64)


@st.composite
def chunked(draw, body):
    """Draw one chunked form of a body."""
    pieces = [piece for piece in cut(body, draw(st.lists(st.integers(0, 64), max_size=3))) if piece]
    extension = draw(st.sampled_from([b"", b";a", b";a=b"]))
    whole = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return whole + b"0\r\n" + draw(st.sampled_from([b"", b"X-T: y\r\n"])) + b"\r\n"


def message(method, extra, framing, body):
    lines = [b"%b: %b" % pair for pair in extra]
    return b"\r\n".join([b"%b /p HTTP/1.1" % method, b"Host: k", *lines, framing, b""]) + body


@st.composite
def messages(draw):
    method = draw(st.sampled_from([b"POST", b"PUT", b"DELETE"]))
    extra = draw(EXTRA)
    body = draw(BODY)
    if draw(st.booleans()):
        framing = b"Transfer-Encoding: chunked\r\n"
        return message(method, extra, framing, draw(chunked(body)))
    return message(method, extra, b"Content-Length: %d\r\n" % len(body), body)


ODD = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"GET / HTTP/1.0\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"0\r\n\r\n",
        b"3\r\nabc\r\n",
        b" ",
        b":",
        b"\x00",
    ]
)


@given(st.lists(st.one_of(ODD, st.binary(max_size=40)), max_size=12), PLACES)
def test_no_bytes_escape_as_an_exception(parts, places):
    requests, statuses, refused = serve(cut(b"".join(parts), places))
    assert statuses == [200] * len(requests) + refused
    assert len(refused) <= 1


@given(st.lists(messages(), min_size=1, max_size=9), PLACES, st.randoms(use_true_random=False))
def test_good_pipelines_are_answered_in_order_however_cut(pipeline, places, chance):
    data = b"".join(pipeline)
    requests, statuses, refused = serve(cut(data, places), hold=chance)
    assert refused == []
    assert statuses == [200] * len(pipeline)
    assert requests == serve([data])[0]


@given(st.lists(st.one_of(messages(), ODD), min_size=1, max_size=5), st.data())
def test_cutting_does_not_change_what_is_parsed(parts, data):
    sent = bytearray(b"".join(parts))
    # A byte or two changed: most results are refused, and must be, however they are cut.
    for _ in range(data.draw(st.integers(0, 2))):
        sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    whole = serve([bytes(sent)])
    one_by_one = serve([bytes([value]) for value in sent])
    # Which of two faults is seen first may differ; what is handed over, and whether there is a
    # fault at all, may not.
    assert one_by_one[0] == whole[0]
    assert len(one_by_one[2]) == len(whole[2])


@given(BODY, EXTRA, st.data(), PLACES)
def test_a_chunked_body_is_the_same_request_as_a_plain_one(body, extra, data, places):
    plain = message(b"POST", extra, b"Content-Length: %d\r\n" % len(body), body)
    coded = message(b"POST", extra, b"Transfer-Encoding: chunked\r\n", data.draw(chunked(body)))
    [one], _, _ = serve([plain])
    [other], _, _ = serve(cut(coded, places))
    assert one[:2] == other[:2]
    assert one[2][:-1] == other[2][:-1]
    assert one[3] == other[3] == body
