"""Signature Version 4: the headers that prove whose request it is.

Source: IAM User Guide, "Create a signed AWS API request".
"""

import hashlib
import hmac
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kagimori_client.credentials import Credentials

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"


@dataclass(frozen=True)
class Request:
    """An HTTP request as it goes out. `target` is path and query, encoded already."""

    method: str
    host: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Signed:
    """A signed request: all headers to send, and the canonical request under the signature."""

    headers: dict[str, str]
    date: str
    canonical_request: str

    @property
    def authorization(self) -> str:
        return self.headers["authorization"]


def sign(
    request: Request, credentials: Credentials, *, region: str, service: str, now: datetime
) -> Signed:
    """Return a request's headers with a signature over all of them; `now` is in UTC."""
    date = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    payload_hash = hashlib.sha256(request.body).hexdigest()
    headers = {name.lower(): value.strip() for name, value in request.headers.items()}
    headers |= {"host": request.host, "x-amz-date": date}
    if credentials.session_token is not None:
        headers["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(headers))
    canonical = canonical_request(request, headers, payload_hash)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = signing_key(credentials.secret_access_key, date[:8], region, service)
    signature = _hmac(key, f"{ALGORITHM}\n{date}\n{scope}\n{digest}").hex()
    headers["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return Signed(headers, date, canonical)


def canonical_request(request: Request, headers: Mapping[str, str], payload_hash: str) -> str:
    """Return the text whose hash is signed; `headers` have lower-case names, and all are signed."""
    path, _, query = request.target.partition("?")
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)]
    return "\n".join(
        (
            request.method,
            urllib.parse.quote(path or "/", safe=f"/{_UNRESERVED}"),
            canonical_query(query),
            *lines,
            "",
            ";".join(sorted(headers)),
            payload_hash,
        )
    )


def canonical_query(query: str) -> str:
    """Return a query string with its parameters encoded as signatures want them, and sorted."""
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    encoded = [tuple(urllib.parse.quote(part, safe=_UNRESERVED) for part in pair) for pair in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def signing_key(secret_access_key: str, day: str, region: str, service: str) -> bytes:
    """Return the key that signs for one day (YYYYMMDD), region and service."""
    key = f"AWS4{secret_access_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
