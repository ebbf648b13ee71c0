"""Parses signatures in the query string (presigned URLs).

Source: IAM User Guide, "Create a signed AWS API request", query parameters; IAM API Reference. Only
Query services take them here: proofs of identity (GetCallerIdentity) are handed on like this.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from kagimori.rules.numbers import whole_between
from kagimori.rules.refusal import IncompleteSignatureException, InvalidSignatureException
from kagimori.rules.sigv4.claim import ALGORITHM, Claim, Presigned, read_parts
from kagimori.rules.sigv4.verify import unreadable_date

EXPIRES_SECONDS_MAX: Final = 604_800  # seven days
SIGNATURE: Final = b"X-Amz-Signature="
_PARAMETERS: Final = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")


def read_presigned(target: bytes) -> Claim:
    """Return the claim in a presigned request target.

    Raises:
        IncompleteSignatureException: parameters are missing or malformed.
        InvalidSignatureException: a lifetime that nobody may have.
    """
    given = _parameters(target.partition(b"?")[2])
    missing = [name for name in _PARAMETERS if not given.get(name)]
    if missing:
        raise IncompleteSignatureException(
            " ".join(
                f"AWS query-string parameters must include 'X-Amz-{name}'." for name in missing
            )
        )
    if given["Algorithm"] != ALGORITHM:
        raise IncompleteSignatureException(f"Unsupported AWS 'algorithm': '{given['Algorithm']}'.")
    seconds = whole_between(given["Expires"], 1, EXPIRES_SECONDS_MAX)
    if seconds is None:
        raise InvalidSignatureException(
            f"X-Amz-Expires must be a number of seconds from 1 to {EXPIRES_SECONDS_MAX}."
        )
    if not given["Date"].isascii():
        raise IncompleteSignatureException(unreadable_date(given["Date"]))
    token = given.get("Security-Token")
    presigned = Presigned(
        given["Date"],
        seconds,
        None if token is None else token.encode("utf-8", "surrogateescape"),
    )
    return read_parts(
        given["Credential"], given["SignedHeaders"], given["Signature"], presigned=presigned
    )


def _parameters(query: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for part in query.decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        if name.startswith("X-Amz-"):
            if name[6:] in found:
                raise IncompleteSignatureException(f"'{name}' is there more than once.")
            found[name[6:]] = unquote(value)
    return found
