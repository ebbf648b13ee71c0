"""Requests that several people must approve: their canonical bytes, and who has signed them.

What is signed is a line that says the decision, and the request as canonical JSON (RFC 8785). The
HSM made the request itself, by its own clock: `mac` shows that, so that nobody sets a request back
in time. Source: docs/look-up/approvals.md.
"""

import hmac
import json
import secrets
from collections.abc import Iterable
from typing import Final

from msgspec import structs

from kagimori_boundary.commands.approvals import (
    APPROVE,
    ApprovalRequest,
    OpenApproval,
    OperatorSignature,
)
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.roster import Roster, verifies

VALID_SECONDS_MIN: Final = 60
VALID_SECONDS_MAX: Final = 90 * 86_400
_MAC_LABEL: Final = b"kagimori approval request\n"


def canonical(request: ApprovalRequest) -> bytes:
    """Return a request as canonical JSON: sorted members, no blanks, UTF-8."""
    return json.dumps(
        structs.asdict(request), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()


def signed_text(decision: str, request: ApprovalRequest) -> bytes:
    """Return the bytes that an operator signs to approve or to refuse a request."""
    return f"kagimori {decision} v1\n".encode() + canonical(request)


def opened(
    roster: Roster, command: OpenApproval, now: float, refusal_seconds: int
) -> ApprovalRequest:
    """Return the request that a command asks for, with an id and times of ours.

    Raises:
        Refused: FORBIDDEN, there is nobody to approve it, or it would be valid for too long.
    """
    if not roster.operators or not VALID_SECONDS_MIN <= command.valid_seconds <= VALID_SECONDS_MAX:
        raise Refused(Reason.FORBIDDEN)
    made_at = int(now)
    return ApprovalRequest(
        f"{made_at:010x}-{secrets.token_hex(8)}",  # in the order of time
        roster.deployment_id,
        command.action,
        command.resource,
        command.parameters,
        command.reason,
        command.made_by,
        made_at,
        made_at + refusal_seconds,
        made_at + refusal_seconds + command.valid_seconds,
    )


def mac_of(roster: Roster, request: ApprovalRequest) -> bytes:
    """Return the proof that an HSM of this deployment made a request."""
    return hmac.digest(roster.secret, _MAC_LABEL + canonical(request), "sha256")


def check_alive(roster: Roster, request: ApprovalRequest, mac: bytes, now: float) -> None:
    """Check that a request was made here, as it is, and is not over.

    Raises:
        Refused: NOT_APPROVED.
    """
    is_ours = bool(roster.secret) and hmac.compare_digest(mac_of(roster, request), mac)
    if not is_ours or request.deployment_id != roster.deployment_id:
        raise Refused(Reason.NOT_APPROVED)
    if request.request_id in roster.ended or now >= request.expires_at:
        raise Refused(Reason.NOT_APPROVED)


def check_signature(
    roster: Roster, request: ApprovalRequest, decision: str, given: OperatorSignature
) -> None:
    """Check one operator's signature.

    Raises:
        Refused: INVALID_SIGNATURE, not of an operator, or not over this.
    """
    key = roster.operators.get(given.operator)
    if key is None or not verifies(key, given.signature, signed_text(decision, request)):
        raise Refused(Reason.INVALID_SIGNATURE)


def check_quorum(
    roster: Roster, request: ApprovalRequest, signatures: Iterable[OperatorSignature], now: float
) -> None:
    """Check that enough of those who are operators now approve a request that is due.

    Signatures of somebody who was removed, further ones of the same operator, and those that do not
    verify count for nothing.

    Raises:
        Refused: TOO_EARLY, or NOT_APPROVED.
    """
    if now < request.not_before:
        raise Refused(Reason.TOO_EARLY)
    text = signed_text(APPROVE, request)
    approved = {
        given.operator
        for given in signatures
        if given.operator in roster.operators
        and verifies(roster.operators[given.operator], given.signature, text)
    }
    if not roster.quorum or len(approved) < roster.quorum:
        raise Refused(Reason.NOT_APPROVED)
