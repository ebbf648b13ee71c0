"""One HTTP/1.1 answer, read from a stream within bounds.

Source: RFC 9112, sections 4 to 7.
"""

import asyncio
import re
from typing import Final, NamedTuple

BODY_BYTES_MAX: Final = 64 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [^\r\n]*)?")
_NUMBER: Final = re.compile(rb"[0-9]{1,9}")
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")
_INFORMATIONAL, _NO_CONTENT, _NOT_MODIFIED = 1, 204, 304
_INTERIM_MAX: Final = 5


class BadAnswer(Exception):
    """The bytes that came are no answer, or too many."""


class Answer(NamedTuple):
    """Status and body; `keeps_connection`: another request may follow on the same one."""

    status: int
    body: bytes
    keeps_connection: bool = False


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Return the next answer on a connection.

    Raises:
        BadAnswer: it is malformed, or too large.
        OSError, IncompleteReadError: the connection ended before that.
    """
    for _ in range(_INTERIM_MAX):
        minor, status, headers = await _head(reader)
        if status // 100 != _INFORMATIONAL:
            break
    else:
        raise BadAnswer
    keeps = minor == b"1" and b"close" not in headers.get(b"connection", b"").lower()
    if status in (_NO_CONTENT, _NOT_MODIFIED):
        return Answer(status, b"", keeps)
    encoding = headers.get(b"transfer-encoding")
    if encoding is not None:
        if encoding.lower() != b"chunked" or b"content-length" in headers:
            raise BadAnswer
        return Answer(status, await _chunks(reader), keeps)
    length = headers.get(b"content-length")
    if length is None:  # it ends where the connection does
        body = await reader.read(BODY_BYTES_MAX + 1)
        while not reader.at_eof() and len(body) <= BODY_BYTES_MAX:
            body += await reader.read(BODY_BYTES_MAX + 1 - len(body))
        return Answer(status, _bounded(body))
    if not _NUMBER.fullmatch(length) or int(length) > BODY_BYTES_MAX:
        raise BadAnswer
    return Answer(status, await reader.readexactly(int(length)), keeps)


async def _head(reader: asyncio.StreamReader) -> tuple[bytes, int, dict[bytes, bytes]]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise BadAnswer from None
    except asyncio.IncompleteReadError as cut:
        if cut.partial:
            raise BadAnswer from None
        raise
    first, *lines = head[:-4].split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise BadAnswer
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise BadAnswer
        name, value = name.lower(), value.strip()
        if name in headers and name in (b"content-length", b"transfer-encoding"):
            raise BadAnswer
        headers[name] = value
    return status[1], int(status[2]), headers


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    try:
        while True:
            size = _CHUNK.fullmatch(await reader.readuntil(b"\r\n"))
            if size is None:
                raise BadAnswer
            number = int(size[1], 16)
            if number == 0:
                break
            if len(body) + number > BODY_BYTES_MAX:
                raise BadAnswer
            body += await reader.readexactly(number)
            if await reader.readexactly(2) != b"\r\n":
                raise BadAnswer
        while await reader.readuntil(b"\r\n") != b"\r\n":  # trailers
            pass
    except asyncio.LimitOverrunError:
        raise BadAnswer from None
    return body


def _bounded(body: bytes) -> bytes:
    if len(body) > BODY_BYTES_MAX:
        raise BadAnswer
    return body
