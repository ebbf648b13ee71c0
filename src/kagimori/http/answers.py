"""Encodes answers: the head, which is the same for every answer, and the body.

The part that changes once a second or never (status, date, content type, the fixed headers) is
made once and kept until the date changes.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from kagimori.rules.request import RawAnswer

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE: Final = b"Connection: close\r\n"
KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"
NOTHING: Final = b""
# What a client that begins with HTTP/2 can read: an empty SETTINGS frame, then a GOAWAY frame with
# the error HTTP_1_1_REQUIRED. Source: RFC 9113, sections 3.4, 4.1, 6.5, 6.8 and 7.
_REASON: Final = b"HTTP/1.1 only"
HTTP_1_1_REQUIRED: Final = (
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    + (8 + len(_REASON)).to_bytes(3, "big")
    + b"\x07\x00\x00\x00\x00\x00"
    + b"\x00\x00\x00\x00\x00\x00\x00\x0d"
    + _REASON
)
# A handler has few statuses and content types; the bound is for one that does not.
KEPT_MAX: Final = 256
REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


class AnswerHeads:
    """Writes answers; `refresh` once a second keeps their date."""

    __slots__ = ("_date", "_http_date", "_kept")

    def __init__(self, http_date: Callable[[], bytes]) -> None:
        self._http_date = http_date
        self._date = http_date()
        self._kept: dict[tuple[int, bytes], bytes] = {}

    def refresh(self) -> None:
        """Refresh the date."""
        date = self._http_date()
        if date != self._date:
            self._date = date
            self._kept.clear()

    def answer(
        self, answer: RawAnswer, request_id: str, connection: bytes, *, bodiless: bool
    ) -> bytes:
        """Return head and body of a handler's answer; for HEAD the head alone."""
        kept = self._kept.get((answer.status, answer.content_type))
        if kept is None:
            kept = self._keep(answer.status, answer.content_type)
        body = answer.body
        return b"%b%b\r\n%b%bContent-Length: %d\r\n\r\n%b" % (
            kept,
            request_id.encode(),
            answer.headers,
            connection,
            len(body),
            NOTHING if bodiless else body,
        )

    def refusal(self, status: int) -> bytes:
        """Return an answer from below the API: no body, and the connection ends."""
        return b"HTTP/1.1 %d %b\r\nDate: %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (
            status,
            REASONS.get(status, b"Unknown"),
            self._date,
        )

    def _keep(self, status: int, content_type: bytes) -> bytes:
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        kept = (
            b"HTTP/1.1 %d %b\r\nDate: %b\r\n%b"
            b"Cache-Control: no-cache, no-store, must-revalidate, private\r\n"
            b"Expires: 0\r\nPragma: no-cache\r\nx-amzn-RequestId: "
        ) % (
            status,
            REASONS.get(status, b"Unknown"),
            self._date,
            b"Content-Type: %b\r\n" % content_type if content_type else NOTHING,
        )
        self._kept[status, content_type] = kept
        return kept
