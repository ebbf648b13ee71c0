"""Our reading of a head and llhttp's: where both take it, they find the same headers."""

import random

import httptools
import pytest

from kagimori.http.head import Refused, header_lines, request_line

HEADS = [
    b"POST / HTTP/1.1\r\nHost: kms\r\nX-Amz-Target: TrentService.Encrypt\r\nEmpty:\r\n\r\n",
    b"\r\nPOST /?a=b HTTP/1.1\r\nhost:kms\r\nA: \t one two \t \r\nA:three\r\n\r\n",
    b"GET / HTTP/1.0\r\nHost: kms\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: kms\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: kms\r\nUpgrade: h2c\r\nExpect: 100-continue\r\n\r\n",
]
# What readers of HTTP disagree about: line ends, blanks, colons, controls, other alphabets.
PIECES = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n ",
    b"\r\n\t",
    b"\r\r\n",
    b"\n\n",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x00",
    b"\x7f",
    b"\x85",
    b"\xa0",
    b"\xff",
    b":",
    b"::",
    b" :",
    b"a: b",
    b"\r\na: b",
    b"\r\n: b",
    b"\r\na b: c",
    b"\r\nContent-Length: 1",
    b",",
    b";",
    b'"',
    b"{",
    b"A",
]


class Collected:
    """What llhttp says of a head when it is asked for its headers."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.is_whole = True


def theirs(head: bytes) -> list[tuple[bytes, bytes]] | None:
    collected = Collected()
    try:
        httptools.HttpRequestParser(collected).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        return None
    return collected.headers if collected.is_whole else None


def ours(head: bytes) -> list[tuple[bytes, bytes]] | None:
    try:
        request_line(head, 0)
        return header_lines(head)
    except Refused:
        return None


def mutated(head: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(head) - 3)
        cut = draw.choice((0, 0, 1, 2))
        head = head[:at] + draw.choice(PIECES) + head[at + cut :]
    return head[: head.find(b"\r\n\r\n", 3) + 4]


@pytest.mark.parametrize("head", HEADS)
def test_both_readers_find_the_same_headers(head):
    assert ours(head) == theirs(head) is not None


@pytest.mark.parametrize("seed", range(20))
def test_no_head_that_both_take_has_other_headers_for_one_than_for_the_other(seed):
    draw = random.Random(seed)
    both = 0
    for _ in range(1500):
        head = mutated(draw.choice(HEADS), draw)
        mine, others = ours(head), theirs(head)
        if mine is not None and others is not None:
            both += 1
            assert mine == others, head
    assert both > 100


@pytest.mark.parametrize(
    "line", [b"a: b\nc: d", b"a: b\rc: d", b"a: b\r\r", b"a: b\r\n\nc: d", b"nothing"]
)
def test_line_ends_but_crlf_and_lines_without_a_colon_are_refused(line):
    assert ours(b"GET / HTTP/1.1\r\nHost: kms\r\n" + line + b"\r\n\r\n") is None
