"""Checks the head of a request: the framing of its body, and that it is unambiguous.

Pure. llhttp has already refused bare CR and LF, folded lines, control characters, bad names and
white space before the colon; what it lets through and we do not is refused here.
Source: RFC 9112, sections 2.2, 3, 3.2, 6 and 11.2; RFC 9110, section 10.1.1.
"""

import re
from typing import Final

CHUNKED: Final = -1
CONTENT_LENGTH_DIGITS_MAX: Final = 15

# One empty line may come first (RFC 9112, 2.2); llhttp would skip any number, of bare CR and LF
# too. It would also allow several spaces, a fragment, RTSP, ICE and HTTP/0.9.
REQUEST_LINE: Final = re.compile(rb"(?:\r\n)?([A-Z][A-Z-]*) ([!-\"$-~]+) HTTP/([0-9]\.[0-9])\r\n")
# What no beginning of a head may hold, so that an endless one is refused early: a bare CR or LF,
# or a control character (a TLS greeting sent to a plain port has several).
HOPELESS: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# No comma: a list of hosts is two opinions.
HOST: Final = re.compile(rb"[A-Za-z0-9._~%!$&'()*+;=:\[\]-]*")
ONCE: Final = (b"host", b"content-length", b"transfer-encoding", b"expect")

HTTP2_PREFACE: Final = b"PRI * HTTP/2.0\r\n"

Headers = list[tuple[bytes, bytes]]


class Refused(Exception):
    """A message refused below the API; the connection ends after its answer.

    `speaks_http2`: the client began with HTTP/2, and reads no answer of HTTP/1.1.
    """

    def __init__(self, status: int, *, speaks_http2: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.speaks_http2 = speaks_http2


def request_line(data: bytes, position: int) -> tuple[bytes, bytes, bool]:
    """Return method, target and whether it is HTTP/1.1, from the head that begins at `position`.

    Raises:
        Refused: 400 for anything but one well-formed line; 505 for a version but 1.0 and 1.1.
    """
    line = REQUEST_LINE.match(data, position)
    if line is None:
        raise Refused(400)
    method, target, version = line.groups()
    if version == b"1.1":
        modern = True
    elif version == b"1.0":
        modern = False
    else:
        raise Refused(505, speaks_http2=line[0].endswith(HTTP2_PREFACE))
    if method == b"CONNECT":
        raise Refused(400)
    return method, target, modern


def header_lines(head: bytes) -> Headers:
    """Return the headers of a head that llhttp has taken: names in lower case, values stripped.

    Raises:
        Refused: 400 for a line end that two readers could see in different places, or no header.
    """
    lines = head.split(b"\r\n")
    # Without any CR and LF it is shorter by the line ends, and by nothing else.
    if len(head) - len(head.translate(None, b"\r\n")) != 2 * (len(lines) - 1):
        raise Refused(400)
    # The request line comes first, perhaps after an empty one; two empty ones stand at the end.
    parts = [line.partition(b":") for line in lines[1 if lines[0] else 2 : -2]]
    headers = [(name.lower(), value.strip(b" \t")) for name, colon, value in parts if colon]
    if len(headers) != len(parts):
        raise Refused(400)
    return headers


def body_framing(
    headers: Headers, by_name: dict[bytes, bytes], *, modern: bool, body_bytes_max: int
) -> tuple[int, bool, bool]:
    """Return the body's length (or CHUNKED), whether a 100 is awaited, whether to keep alive.

    `by_name` are the headers as a dictionary, the last of those that are repeated.

    Raises:
        Refused: 400 for two opinions on host or length; 413; 417.
    """
    if len(by_name) != len(headers):
        _refuse_repeats(headers)
    host = by_name.get(b"host")
    if host is None:
        if modern:
            raise Refused(400)
    elif HOST.fullmatch(host) is None:
        raise Refused(400)
    length = _body_length(by_name, modern=modern)
    if length > body_bytes_max:
        raise Refused(413)
    keep = modern
    if b"connection" in by_name or b"proxy-connection" in by_name:
        keep = _keeps_alive(headers, modern=modern)
    expectation = by_name.get(b"expect")
    if expectation is None or not modern:
        return length, False, keep
    if expectation.lower() != b"100-continue":
        raise Refused(417)
    return length, length != 0, keep


def _refuse_repeats(headers: Headers) -> None:
    """Refuse a head that says twice what may be said once, even in the same words."""
    names = [name for name, _ in headers]
    if any(names.count(name) > 1 for name in ONCE):
        raise Refused(400)


def _body_length(by_name: dict[bytes, bytes], *, modern: bool) -> int:
    """Return the one length that the head states: a number, CHUNKED, or 0 for silence."""
    coding = by_name.get(b"transfer-encoding")
    length = by_name.get(b"content-length")
    if coding is not None:
        if not modern or length is not None or coding.lower() != b"chunked":
            raise Refused(400)
        return CHUNKED
    if length is None:
        return 0
    if not length.isdigit():
        raise Refused(400)
    if len(length) > CONTENT_LENGTH_DIGITS_MAX:
        raise Refused(413)
    return int(length)


def _keeps_alive(headers: Headers, *, modern: bool) -> bool:
    """Return whether the connection outlives the message; `close` wins over `keep-alive`."""
    # llhttp takes the obsolete `Proxy-Connection` for the same, and reads nothing after a close.
    said = b",".join(
        value for name, value in headers if name in (b"connection", b"proxy-connection")
    )
    options = [option.strip(b" \t") for option in said.lower().split(b",")]
    if b"close" in options:
        return False
    return modern or b"keep-alive" in options
