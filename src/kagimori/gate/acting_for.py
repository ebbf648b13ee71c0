"""Services that act for their callers: what a service shows, and what it says it acts upon.

Source: docs/understand/acting-for-another.md.
"""

from collections.abc import Callable
from functools import partial

from kagimori.front.received import Received
from kagimori.rules.identity.caller import Caller, Shown, acting_for, with_source
from kagimori.rules.refusal import InvalidSignatureException
from kagimori.rules.sigv4.claim import Claim
from kagimori.rules.sigv4.forwarded import HEADER, Forwarded, read_forwarded


def forwarded_by(
    caller: Caller, service: str, received: Received, claim: Claim, signing_time: float
) -> Forwarded | Caller:
    """Return the request that a service shows; the service itself if it shows none.

    What the service says counts only where its own signature covers it.

    Raises:
        InvalidSignatureException, IncompleteSignatureException: what is shown proves nothing.
    """
    signed = claim.signed_headers.split(";")
    shown = received.headers.get(HEADER)
    if shown is None:
        return with_source(
            caller,
            _signed(received, signed, b"x-amz-source-arn"),
            _signed(received, signed, b"x-amz-source-account"),
        )
    if HEADER.decode() not in signed:
        raise InvalidSignatureException("The forwarded request is not signed by the service.")
    return read_forwarded(shown, service=service, region=claim.scope.region, now=signing_time)


def acting(
    behind: Caller, service: str, forwarded: Forwarded, is_first: Callable[[str, float], bool]
) -> Caller:
    """Return whom a service acts for, once the signature of what it shows has held.

    `is_first` says whether a request (its name, when it was signed) is shown for the first time.

    Raises:
        InvalidSignatureException: another service.
    """
    if behind.service is not None:
        raise InvalidSignatureException("A service cannot act for a service.")
    shown = Shown(partial(is_first, forwarded.name, forwarded.signed_at))
    return acting_for(behind, service, shown)


def _signed(received: Received, signed: list[str], name: bytes) -> str | None:
    value = received.headers.get(name) if name.decode() in signed else None
    return None if value is None else value.decode("latin-1")
