"""Cross-origin requests of browsers: preflights, and the headers that let pages read answers.

Any origin may read an answer, as on AWS: what a request may do depends on its signature alone,
and no cookie or other credential of the browser's is ever looked at.

Source: Fetch standard, "CORS protocol"; the answers of AWS services to requests with an `Origin`.
"""

from string import ascii_letters, digits
from typing import Final

from msgspec.structs import replace

from kagimori.http.exchange import Respond
from kagimori.rules.request import RawAnswer, RawRequest

EXPOSED: Final = b"x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"
MAX_AGE_SECONDS: Final = 172_800
ORIGIN: Final = b"origin"
_METHOD: Final = b"access-control-request-method"
_HEADERS: Final = b"access-control-request-headers"
_READABLE: Final = (
    b"Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: %b\r\n" % EXPOSED
)
# The characters of header names (RFC 9110, section 5.6.2), and what stands between them in a list.
_LISTED: Final = b"!#$%&'*+-.^_`|~, \t" + (digits + ascii_letters).encode()


def preflight(raw: RawRequest) -> RawAnswer | None:
    """Return the answer to a browser's question whether it may send a request; None for others.

    The method and the headers that are asked about are allowed by naming them.
    """
    if raw.method != b"OPTIONS":
        return None
    headers = dict(raw.headers)
    method, names = headers.get(_METHOD), headers.get(_HEADERS, b"")
    if ORIGIN not in headers or not method or (method + names).translate(None, _LISTED):
        return None
    lines = b"Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: %b\r\n" % method
    if names:
        lines += b"Access-Control-Allow-Headers: %b\r\n" % names
    lines += b"Access-Control-Max-Age: %d\r\n" % MAX_AGE_SECONDS
    return RawAnswer(200, b"", b"", lines)


def readable(respond: Respond) -> Respond:
    """Return a responder that adds CORS headers: for a request that has an origin."""
    return lambda answer: respond(replace(answer, headers=answer.headers + _READABLE))
