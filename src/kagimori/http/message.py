"""Parses bytes into whole messages, without a transport.

Our framing says where a head and a body end; llhttp is fed exactly those bytes and must agree.
A message on which the two disagree is refused: request smuggling lives in such disagreements.
"""

import re
from functools import partial
from typing import Final

import httptools

from kagimori.http.chunks import ChunkedBody
from kagimori.http.head import (
    CHUNKED,
    HOPELESS,
    Refused,
    body_framing,
    header_lines,
    request_line,
)
from kagimori.settings import FrontLimits

HEAD_END: Final = b"\r\n\r\n"
HEAD_END_BYTES: Final = 4
# A name as long as the one it hides, so that nothing else of the head changes.
UPGRADE: Final = re.compile(rb"(?<=\r\n)upgrade(?=:)", re.IGNORECASE)
UPGRADE_HIDDEN: Final = b"~upgrad"

# What llhttp says of a message as it comes to it.
HEAD: Final = "head"
END: Final = "end"
HEAD_SEEN: Final = [HEAD]
WHOLE_SEEN: Final = [HEAD, END]


class _Heard:
    """The callbacks of llhttp: it judges every byte, and says where head and message end.

    It is not asked for the headers, at a call for each: once it has taken a head, `header_lines`
    reads the same ones from it. Holds no parser, so that there is no reference cycle.
    """

    __slots__ = ("on_headers_complete", "on_message_complete")

    def __init__(self, seen: list[str]) -> None:
        self.on_headers_complete = partial(seen.append, HEAD)
        self.on_message_complete = partial(seen.append, END)


class MessageReader:
    """Takes messages off a buffer; `whole` says that one is there, until the next is begun."""

    __slots__ = (
        "_body_left",
        "_chunks",
        "_limits",
        "_parser",
        "_parts",
        "_searched",
        "_seen",
        "awaits_continue",
        "body",
        "headers",
        "in_body",
        "keep",
        "method",
        "modern",
        "target",
        "values",
        "whole",
    )

    def __init__(self, limits: FrontLimits) -> None:
        self._limits = limits
        self._seen: list[str] = []
        self._parser = httptools.HttpRequestParser(_Heard(self._seen))
        self._body_left = 0
        self._chunks: ChunkedBody | None = None
        self._parts: bytearray | None = None
        self._searched = 0
        self.method = self.target = self.body = b""
        self.headers: tuple[tuple[bytes, bytes], ...] = ()
        self.values: dict[bytes, bytes] | None = None
        self.modern = self.keep = True
        self.in_body = self.whole = self.awaits_continue = False

    def take(self, data: bytes, position: int) -> int:
        """Return the position after the next piece of the message, or -1 when bytes are missing.

        Raises:
            Refused: the message is too large, malformed or ambiguous.
        """
        try:
            if not self.in_body:
                return self._take_head(data, position)
            if self._chunks is not None:
                return self._take_chunk(self._chunks, data, position)
            return self._take_body(data, position)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise Refused(400) from None

    @property
    def held(self) -> int:
        """How many bytes of an unfinished body are kept."""
        if self._chunks is not None:
            return len(self._chunks.body)
        return 0 if self._parts is None else len(self._parts)

    def _take_head(self, data: bytes, position: int) -> int:
        """Parse a head once all of it has arrived, in one piece, and a body that came with it."""
        self.whole = False
        end = data.find(HEAD_END, position + self._searched) + HEAD_END_BYTES
        if end < HEAD_END_BYTES:
            self._watch(data, position)
            return -1
        self._searched = 0
        if end - position > self._limits.head_bytes:
            raise Refused(431)
        self.method, self.target, self.modern = request_line(data, position)
        head = data[position:end]
        self._seen.clear()
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            self._feed_without_upgrade(head)
        headers = header_lines(head)
        if len(headers) > self._limits.headers:
            raise Refused(431)
        by_name = dict(headers)
        length, self.awaits_continue, self.keep = body_framing(
            headers, by_name, modern=self.modern, body_bytes_max=self._limits.body_bytes
        )
        self.headers = tuple(headers)
        self.values = by_name if len(by_name) == len(headers) else None
        if length == 0:
            self._finish(b"")
            return end
        if self._seen != HEAD_SEEN:
            raise Refused(400)
        after = end + length
        if end < after <= len(data):
            self.awaits_continue = False
            body = data[end:after]
            self._parser.feed_data(body)
            self._finish(body)
            return after
        self.in_body = True
        if length == CHUNKED:
            self._chunks = ChunkedBody(
                self._parser,
                body_bytes_max=self._limits.body_bytes,
                trailer_bytes_max=self._limits.head_bytes,
            )
        self._body_left = length
        return end

    def _feed_without_upgrade(self, head: bytes) -> None:
        """Feed a head again, its offer to upgrade hidden: llhttp would take it for accepted.

        The request is answered as it stands, and the connection goes on as it was.
        Source: RFC 9110 section 7.8.
        """
        self._seen.clear()
        self._parser = httptools.HttpRequestParser(_Heard(self._seen))
        self._parser.feed_data(UPGRADE.sub(UPGRADE_HIDDEN, head))

    def _watch(self, data: bytes, position: int) -> None:
        """Refuse the beginning of a head that can no longer become a good one."""
        if len(data) - position > self._limits.head_bytes:
            raise Refused(431)
        start = position + self._searched
        # The byte before belongs to the message before: it makes no line end with our LF.
        if HOPELESS.search(data, start) or data[position : position + 1] == b"\n":
            raise Refused(400)
        # The end may be split; the last three bytes are looked at again.
        self._searched = max(0, len(data) - position - HEAD_END_BYTES + 1)

    def _take_body(self, data: bytes, position: int) -> int:
        """Take the bytes that have arrived of a body of known length."""
        piece = data[position : position + self._body_left]
        if not piece:
            return -1
        self._parser.feed_data(piece)
        self._body_left -= len(piece)
        if self._parts is not None:
            self._parts += piece
        if self._body_left == 0:
            self._finish(piece if self._parts is None else bytes(self._parts))
            self._parts = None
        elif self._parts is None:
            self._parts = bytearray(piece)
        return position + len(piece)

    def _take_chunk(self, chunks: ChunkedBody, data: bytes, position: int) -> int:
        """Take one element of a chunked body."""
        end = chunks.take(data, position)
        if chunks.done:
            self._finish(bytes(chunks.body))
        elif self._seen != HEAD_SEEN:
            raise Refused(400)
        return end

    def _finish(self, body: bytes) -> None:
        """Hold the whole message, if llhttp saw it end at the same byte."""
        if self._seen != WHOLE_SEEN:
            raise Refused(400)
        self.body = body
        self.whole = True
        self.in_body = False
        self._chunks = None
