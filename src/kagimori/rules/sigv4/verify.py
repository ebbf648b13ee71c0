"""Verifies a signature: scope, time, and the HMAC over the canonical request.

Source: IAM User Guide, "Create a signed AWS API request"; KMS API Reference, "Common Error Types".
"""

import hashlib
import hmac
from collections.abc import Mapping
from time import gmtime, strftime
from typing import Final

from kagimori.rules.numbers import basic_iso, http_date
from kagimori.rules.refusal import IncompleteSignatureException, InvalidSignatureException
from kagimori.rules.request import RawRequest
from kagimori.rules.sigv4.canonical import canonical_request
from kagimori.rules.sigv4.claim import ALGORITHM, MISMATCH, Claim, Presigned, Scope

_BASIC_ISO: Final = "%Y%m%dT%H%M%SZ"
# STS is asked by machines whose clocks are about to be set; AWS gives them more room.
WINDOW_SECONDS: Final = {"sts": 15 * 60}
WINDOW_SECONDS_DEFAULT: Final = 5 * 60


def check_claim(
    claim: Claim,
    values: Mapping[bytes, bytes],
    *,
    service: str,
    regions: frozenset[str],
    now: float,
) -> str:
    """Return the time of signing of a claim for this service, in a region served here, and now.

    Raises:
        IncompleteSignatureException: there is no date, or none that can be read.
        InvalidSignatureException: another service or region; too old, too new, or over.
    """
    scope = claim.scope
    if scope.service != service:
        raise InvalidSignatureException(
            f"Credential should be scoped to correct service: '{service}'. "
        )
    if scope.region not in regions:
        raise InvalidSignatureException("Credential should be scoped to a valid region. ")
    if claim.presigned is None:
        return check_time(scope, values, now)
    return check_lifetime(scope, claim.presigned, now)


def check_time(scope: Scope, values: Mapping[bytes, bytes], now: float) -> str:
    """Return the time of signing, in ISO 8601 basic form, if it is near enough to `now`.

    Raises:
        IncompleteSignatureException: there is no date, or none that can be read.
        InvalidSignatureException: too old, too new, or of another day than the scope.
    """
    date, signed_at = _DATES.get(values.get(b"x-amz-date", b"")) or _signing_date(values)
    if date[:8] != scope.date:
        raise _of_another_day(scope, date)
    window = WINDOW_SECONDS.get(scope.service, WINDOW_SECONDS_DEFAULT)
    if abs(now - signed_at) > window:
        raise InvalidSignatureException(_out_of_window(date, signed_at, now, window))
    return date


def check_lifetime(scope: Scope, presigned: Presigned, now: float) -> str:
    """Return the time of signing of a presigned request, if its lifetime is not over.

    Raises:
        IncompleteSignatureException: a date that cannot be read.
        InvalidSignatureException: over, not begun, or of another day than the scope.
    """
    date, signed_at = _signing_date({b"x-amz-date": presigned.date.encode("latin-1", "replace")})
    if date[:8] != scope.date:
        raise _of_another_day(scope, date)
    ends_at = signed_at + presigned.expires_seconds
    if now > ends_at:
        raise InvalidSignatureException(
            f"Signature expired: {strftime(_BASIC_ISO, gmtime(ends_at))} is now earlier than "
            f"{strftime(_BASIC_ISO, gmtime(now))}"
        )
    window = WINDOW_SECONDS.get(scope.service, WINDOW_SECONDS_DEFAULT)
    if signed_at - now > window:
        raise InvalidSignatureException(_out_of_window(date, signed_at, now, window))
    return date


def verify(
    raw: RawRequest,
    claim: Claim,
    values: Mapping[bytes, bytes],
    date: str,
    signing_key: hmac.HMAC,
) -> None:
    """Check that the signature is the one this request has under this signing key.

    `signing_key` is HMAC-SHA-256 keyed with it, so that a key is set up once, not once a request.

    Raises:
        InvalidSignatureException: it is not, or the body is not the one that was hashed.
    """
    payload_hash = hashlib.sha256(raw.body).hexdigest()
    claimed_hash = values.get(b"x-amz-content-sha256")
    if claimed_hash is not None and not hmac.compare_digest(claimed_hash, payload_hash.encode()):
        raise InvalidSignatureException(MISMATCH)
    canonical = canonical_request(raw, values, claim.signed_headers, payload_hash)
    text = (
        f"{ALGORITHM}\n{date}\n{claim.scope.text}\n{hashlib.sha256(canonical).hexdigest()}"
    ).encode("latin-1")
    expected = signing_key.copy()
    expected.update(text)
    if not hmac.compare_digest(expected.hexdigest(), claim.signature):
        raise InvalidSignatureException(MISMATCH)


def _of_another_day(scope: Scope, date: str) -> InvalidSignatureException:
    return InvalidSignatureException(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
        f"HTTP: '{scope.date}' != '{date[:8]}', from '{date}'."
    )


def _signing_date(values: Mapping[bytes, bytes]) -> tuple[str, float]:
    text = values.get(b"x-amz-date") or values.get(b"date")
    known = _DATES.get(text or b"")
    if known is not None:
        return known
    if not text:
        raise IncompleteSignatureException(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    date = text.decode("latin-1")
    signed_at = basic_iso(date)
    if signed_at is not None:
        return _remembered(text, date, signed_at)
    signed_at = http_date(date)
    if signed_at is None:
        raise IncompleteSignatureException(unreadable_date(date))
    return strftime(_BASIC_ISO, gmtime(signed_at)), signed_at


def unreadable_date(date: str) -> str:
    """Return AWS's text for a date of signing that cannot be read."""
    return (
        f"Date must be in ISO-8601 'basic format'. Got '{date}'. "
        "See http://en.wikipedia.org/wiki/ISO_8601"
    )


def _remembered(text: bytes, date: str, signed_at: float) -> tuple[str, float]:
    """Keep a date that was read: many requests share a second."""
    if len(_DATES) >= _DATES_MAX:
        _DATES.clear()
    _DATES[text] = (date, signed_at)
    return date, signed_at


_DATES: Final[dict[bytes, tuple[str, float]]] = {}
_DATES_MAX: Final = 1000


def _out_of_window(date: str, signed_at: float, now: float, window: int) -> str:
    minutes = window // 60
    here = strftime(_BASIC_ISO, gmtime(now))
    if signed_at < now:
        edge = strftime(_BASIC_ISO, gmtime(now - window))
        return f"Signature expired: {date} is now earlier than {edge} ({here} - {minutes} min.)"
    edge = strftime(_BASIC_ISO, gmtime(now + window))
    return f"Signature not yet current: {date} is still later than {edge} ({here} + {minutes} min.)"
