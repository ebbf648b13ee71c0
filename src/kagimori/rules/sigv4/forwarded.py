"""A client's signed request, which a service forwards as proof that the client asked.

The service cannot make one: it holds no secret of the caller's. What it shows is the caller's
Authorization header and the canonical request under it, so that the signature can be checked here
as it was there. Source: docs/understand/acting-for-another.md.
"""

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode

import msgspec
from msgspec import Struct

from kagimori.rules.numbers import basic_iso
from kagimori.rules.refusal import InvalidSignatureException
from kagimori.rules.sigv4.claim import ALGORITHM, Claim, read_claim
from kagimori.rules.sigv4.verify import check_time

HEADER = b"x-kagimori-forwarded-request"
BYTES_MAX = 12_288


class Shown(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The header's content, as JSON in base64."""

    authorization: str
    date: str  # 20261126T083000Z
    canonical_request: str
    security_token: str | None = None


class Forwarded(Struct, frozen=True, gc=False):
    """A parsed forwarded request; nothing of it is verified yet."""

    claim: Claim
    date: str
    signed_at: float  # seconds since the epoch
    canonical_request: str
    security_token: bytes | None

    @property
    def name(self) -> str:
        """The access key id and signature, which no other request has."""
        return f"{self.claim.scope.access_key_id}/{self.claim.signature}"

    def check_signature(self, signing_key: hmac.HMAC) -> None:
        """Check that the signature is the one this canonical request has.

        Raises:
            InvalidSignatureException: it is not.
        """
        digest = hashlib.sha256(self.canonical_request.encode()).hexdigest()
        expected = signing_key.copy()
        expected.update(f"{ALGORITHM}\n{self.date}\n{self.claim.scope.text}\n{digest}".encode())
        if not hmac.compare_digest(expected.hexdigest(), self.claim.signature):
            raise InvalidSignatureException("The signature of the forwarded request does not hold.")


_decode = msgspec.json.Decoder(Shown).decode


def shown(
    authorization: str, date: str, canonical_request: str, security_token: str | None = None
) -> str:
    """Return the header's value for a request that was received."""
    content = Shown(authorization, date, canonical_request, security_token)
    return b64encode(msgspec.json.encode(content)).decode()


def read_forwarded(text: bytes, *, service: str, region: str, now: float) -> Forwarded:
    """Return a forwarded request that was signed for `service` in `region`, just now.

    Raises:
        InvalidSignatureException: malformed, for another service or region, or too old.
        IncompleteSignatureException: its Authorization header lacks something.
    """
    if len(text) > BYTES_MAX:
        raise InvalidSignatureException("The forwarded request is too large.")
    try:
        content = _decode(b64decode(text, validate=True))
        claim = read_claim(content.authorization.encode("latin-1"))
        date = content.date.encode("latin-1")
    except (binascii.Error, msgspec.MsgspecError, UnicodeEncodeError):
        raise InvalidSignatureException("The forwarded request cannot be read.") from None
    if claim.scope.service != service:
        raise InvalidSignatureException(
            f"The forwarded request was not signed for the service '{service}'."
        )
    if claim.scope.region != region:
        raise InvalidSignatureException(
            f"The forwarded request was not signed for the region '{region}'."
        )
    check_time(claim.scope, {b"x-amz-date": date}, now)
    signed_at = basic_iso(content.date)
    if signed_at is None:
        raise InvalidSignatureException("The date of the forwarded request cannot be read.")
    token = content.security_token
    return Forwarded(
        claim,
        content.date,
        signed_at,
        content.canonical_request,
        None if token is None else token.encode("utf-8", "replace"),
    )
