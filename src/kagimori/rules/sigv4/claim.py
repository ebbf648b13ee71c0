"""Parses the Authorization header: access key, scope, signed headers and signature.

Source: IAM User Guide, "Create a signed AWS API request"; messages: KMS API Reference, "Common
Error Types".
"""

import re
from functools import cached_property
from typing import Final

from msgspec import Struct

from kagimori.rules.partitions import region_of_call
from kagimori.rules.refusal import (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
)

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TERMINATOR: Final = "aws4_request"
_HEX_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_BEFORE_SIGNATURE: Final = ", Signature="
_PARTS: Final = ("Credential", "Signature", "SignedHeaders")
_SCOPE_PARTS: Final = 5


class Scope(Struct, frozen=True, dict=True, cache_hash=True):
    """The credential: the access key, and the day, region and service its signing key is for."""

    access_key_id: str
    date: str
    region: str
    service: str

    @cached_property
    def text(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"

    @cached_property
    def call_region(self) -> str:
        """The region in which a call that is signed for this takes place."""
        return region_of_call(self.service, self.region)


class Presigned(Struct, frozen=True, gc=False):
    """The fields of a presigned query string that headers carry otherwise."""

    date: str
    expires_seconds: int
    security_token: bytes | None = None


class Claim(Struct, frozen=True, gc=False):
    """A parsed Authorization header (or query string); nothing of it is verified yet."""

    scope: Scope
    signed_headers: str
    signature: str
    presigned: Presigned | None = None


# All of the header but the signature is the same for a whole day of one signer's requests, so
# what was read from it is remembered.
_SIGNERS: Final[dict[str, tuple[Scope, str]]] = {}
_SIGNERS_MAX: Final = 1000
_SIGNER_LENGTH_MAX: Final = 500


def read_claim(authorization: bytes | None) -> Claim:
    """Return the parsed Authorization header.

    Raises:
        MissingAuthenticationTokenException: there is none.
        IncompleteSignatureException: parts are missing or malformed.
        InvalidSignatureException: a credential scope that ends in something else.
    """
    if not authorization:
        raise MissingAuthenticationTokenException("Missing Authentication Token")
    text = authorization.decode("latin-1")
    signer, _, signature = text.rpartition(_BEFORE_SIGNATURE)
    known = _SIGNERS.get(signer)
    if known is not None and _HEX_SIGNATURE.fullmatch(signature):
        return Claim(known[0], known[1], signature)
    algorithm, _, rest = text.partition(" ")
    parts = _split(rest, text) if algorithm == ALGORITHM and rest else {}
    missing = [name for name in _PARTS if not parts.get(name)]
    if missing:
        needs = " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        raise IncompleteSignatureException(f"{needs} Authorization={text}")
    claim = read_parts(parts["Credential"], parts["SignedHeaders"], parts["Signature"])
    if claim.signature == signature and len(signer) <= _SIGNER_LENGTH_MAX:
        if len(_SIGNERS) >= _SIGNERS_MAX:
            _SIGNERS.clear()
        _SIGNERS[signer] = (claim.scope, claim.signed_headers)
    return claim


def read_parts(
    credential: str, signed_headers: str, signature: str, *, presigned: Presigned | None = None
) -> Claim:
    """Return the claim in the three parts of a signature.

    Raises:
        IncompleteSignatureException, InvalidSignatureException: they are not as they must be.
    """
    return Claim(_read_scope(credential), signed_headers, _signature(signature), presigned)


def _split(rest: str, whole: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rest.split(","):
        written = part.strip(" \t")
        name, equals, value = written.partition("=")
        if not equals:
            raise IncompleteSignatureException(
                f"'{written}' not a valid key=value pair (missing equal-sign) "
                f"in Authorization header: '{whole}'."
            )
        if name in parts:
            raise IncompleteSignatureException(
                f"Authorization header repeats the '{name}' parameter. Authorization={whole}"
            )
        parts[name] = value
    return parts


def _read_scope(credential: str) -> Scope:
    elements = credential.split("/")
    if len(elements) != _SCOPE_PARTS:
        raise IncompleteSignatureException(
            "Credential must have exactly 5 slash-delimited elements, "
            f"e.g. keyid/date/region/service/term, got '{credential}'"
        )
    access_key_id, date, region, service, terminator = elements
    if terminator != TERMINATOR:
        raise InvalidSignatureException(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}', "
            f"not '{terminator}'."
        )
    return Scope(access_key_id, date, region, service)


def _signature(text: str) -> str:
    if not _HEX_SIGNATURE.fullmatch(text):
        raise InvalidSignatureException(MISMATCH)
    return text


MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)
