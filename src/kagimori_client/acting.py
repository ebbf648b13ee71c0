"""Acting for a caller: how a gateway shows a request that its own client signed for it.

Source: docs/understand/acting-for-another.md.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kagimori_client.signing import Request, Signed, canonical_request

FORWARDED_HEADER: Final = "x-kagimori-forwarded-request"


class NotForwardable(Exception):
    """A reason why a request proves nothing about its sender, as one line for people."""


@dataclass(frozen=True)
class ForwardedRequest:
    """A client's request as a gateway received it, to be shown with the gateway's own."""

    authorization: str
    date: str
    canonical_request: str
    security_token: str | None = None

    def header(self) -> dict[str, str]:
        """Return the header to sign and send."""
        shown = {
            "authorization": self.authorization,
            "date": self.date,
            "canonicalRequest": self.canonical_request,
        }
        if self.security_token is not None:
            shown["securityToken"] = self.security_token
        text = json.dumps(shown, separators=(",", ":"))
        return {FORWARDED_HEADER: base64.b64encode(text.encode()).decode()}


def forwarded_from(request: Request, payload_hash: str) -> ForwardedRequest:
    """Return the form in which a received request is shown, with its Authorization header.

    `payload_hash` is the client's `x-amz-content-sha256`, or the SHA-256 of the body in hex.

    Raises:
        NotForwardable: it is not signed in its headers, or lacks one that is signed.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    authorization = headers.get("authorization", "")
    date = headers.get("x-amz-date", "")
    signed = _signed_headers(authorization)
    if not signed or not date:
        raise NotForwardable("the request has no signature in its headers")
    headers.setdefault("host", request.host)
    missing = [name for name in signed if name not in headers]
    if missing:
        raise NotForwardable(f"the signed header {missing[0]} is not in the request")
    covered: Mapping[str, str] = {name: headers[name] for name in signed}
    return ForwardedRequest(
        authorization,
        date,
        canonical_request(request, covered, payload_hash),
        headers.get("x-amz-security-token"),
    )


def forwarded_of(signed: Signed, security_token: str | None = None) -> ForwardedRequest:
    """Return the form in which a request that was signed here is shown."""
    return ForwardedRequest(
        signed.authorization, signed.date, signed.canonical_request, security_token
    )


def _signed_headers(authorization: str) -> list[str]:
    for part in authorization.replace(",", " ").split():
        name, _, value = part.partition("=")
        if name == "SignedHeaders":
            return value.split(";")
    return []
