"""Parses chunked bodies: sizes, data and trailers, one element at a time.

It finds where each element ends, so that llhttp (the second reader, which judges every byte) is
never fed past the end of the message. Trailers are read and dropped.
Source: RFC 9112, section 7.1.
"""

import re
from typing import Final

import httptools

from kagimori.http.head import Refused

LINE_BYTES_MAX: Final = 4096
SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[\t -~\x80-\xff]*)?\r\n")
CRLF_BYTES: Final = 2


class ChunkedBody:
    """The state of one chunked body; `done` once its last line has been taken."""

    __slots__ = ("_left", "_limit", "_parser", "_trailers", "_wire", "body", "done")

    def __init__(
        self, parser: httptools.HttpRequestParser, *, body_bytes_max: int, trailer_bytes_max: int
    ) -> None:
        self.body = bytearray()
        self.done = False
        self._parser = parser
        self._limit = body_bytes_max
        # Chunks of one byte each, or long extensions, cost us far more than they carry.
        self._wire = 2 * body_bytes_max + trailer_bytes_max
        self._left = 0
        self._trailers = False

    def take(self, data: bytes, position: int) -> int:
        """Return the position after the next element, or -1 when it is not all there.

        Raises:
            Refused: 413 when decoded body or wire form grow too large, 400 for the rest.
            httptools.HttpParserError: llhttp refused the element.
        """
        if self._left:
            return self._take_data(data, position)
        end = data.find(b"\r\n", position) + CRLF_BYTES
        if end < CRLF_BYTES:
            if len(data) - position > LINE_BYTES_MAX:
                raise Refused(400)
            return -1
        line = data[position:end]
        self._spend(len(line))
        if len(line) > LINE_BYTES_MAX:
            raise Refused(400)
        if self._trailers:
            self.done = len(line) == CRLF_BYTES
        else:
            self._open_chunk(line)
        self._parser.feed_data(line)
        return end

    def _open_chunk(self, line: bytes) -> None:
        """Parse a size line; size zero begins the trailers."""
        matched = SIZE_LINE.fullmatch(line)
        if matched is None:
            raise Refused(400)
        size = int(matched[1], 16)
        if len(self.body) + size > self._limit:
            raise Refused(413)
        if size:
            self._left = size + CRLF_BYTES
        else:
            self._trailers = True

    def _take_data(self, data: bytes, position: int) -> int:
        """Take the bytes that have come of the open chunk, and the line end that closes it."""
        piece = data[position : position + self._left]
        if not piece:
            return -1
        self._spend(len(piece))
        self._parser.feed_data(piece)
        content = min(len(piece), max(0, self._left - CRLF_BYTES))
        self.body += piece[:content]
        self._left -= len(piece)
        return position + len(piece)

    def _spend(self, count: int) -> None:
        self._wire -= count
        if self._wire < 0:
            raise Refused(413)
