"""Signs requests of our own: to S3-compatible buckets, and to external key store proxies.

Source: IAM User Guide, "Create a signed AWS API request".
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from time import gmtime, strftime

from msgspec import Struct

from kagimori.rules.request import RawRequest
from kagimori.rules.sigv4.canonical import canonical_request
from kagimori.rules.sigv4.claim import ALGORITHM, TERMINATOR, Scope


class SigningCredentials(Struct, frozen=True):
    """An access key and its secret; `session_token` belongs to a temporary one."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"SigningCredentials({self.access_key_id!r})"


def signed_headers(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    credentials: SigningCredentials,
    region: str,
    service: str,
    now: float,
) -> dict[str, str]:
    """Return the headers (lower-case, with `host`) and those that sign them.

    `target` has characters only that need no encoding.
    """
    date = strftime("%Y%m%dT%H%M%SZ", gmtime(now))
    payload_hash = sha256(body).hexdigest()
    signed = {**headers, "x-amz-date": date, "x-amz-content-sha256": payload_hash}
    if credentials.session_token is not None:
        signed["x-amz-security-token"] = credentials.session_token
    scope = Scope(credentials.access_key_id, date[:8], region, service)
    key = signing_key(credentials.secret_access_key, scope)
    return with_authorization(method, target, signed, body, scope=scope, key=key)


def signing_key(secret: str, scope: Scope) -> bytes:
    """Return the signing key of a day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (*scope.text.split("/")[:3], TERMINATOR):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key


def with_authorization(
    method: str,
    target: str,
    signed: Mapping[str, str],
    body: bytes,
    *,
    scope: Scope,
    key: bytes,
) -> dict[str, str]:
    """Return these headers, all of which are signed, with the one that signs them.

    `x-amz-date` is among them; `key` is the signing key of its day.
    """
    date = signed["x-amz-date"]
    values = {name.encode(): value.encode() for name, value in signed.items()}
    names = ";".join(sorted(signed))
    raw = RawRequest("", method.encode(), target.encode(), tuple(values.items()), body, "")
    canonical = canonical_request(raw, values, names, sha256(body).hexdigest())
    text = f"{ALGORITHM}\n{date}\n{scope.text}\n{sha256(canonical).hexdigest()}"
    signature = hmac.new(key, text.encode(), sha256).hexdigest()
    credential = f"{scope.access_key_id}/{scope.text}"
    authorization = (
        f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return {**signed, "authorization": authorization}
