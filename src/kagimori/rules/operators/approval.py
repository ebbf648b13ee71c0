"""A request for a dangerous action: what operators sign, and how far it has come.

The HSM made it, and every change of it ends in the HSM. What is kept here is for people to see and
sign, and for the HSM to be shown again.
"""

from typing import Any, Final

from msgspec import Struct

from kagimori.rules.entity import changed
from kagimori.rules.operators.roster import Roster
from kagimori_boundary.commands import ApprovalRequest, OperatorSignature

# The states in which it is kept; one that is open past its expiry is shown as expired.
OPEN, EXECUTED, REFUSED, EXPIRED = "OPEN", "EXECUTED", "REFUSED", "EXPIRED"
# Requests that are waiting at a time, so that nobody hides one among many.
OPEN_MAX: Final = 100


class Signed(Struct, frozen=True):
    """The signature of one operator (hexadecimal), and when it came, in seconds."""

    operator: str
    signature: str
    at: float


class Approval(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request. `document` is the text whose digest is signed, where there is one."""

    request_id: str
    deployment_id: str
    action: str
    resource: str
    parameters: dict[str, str]
    reason: str
    made_by: str
    made_at: int
    not_before: int
    expires_at: int
    mac: bytes
    document: str = ""
    state: str = OPEN
    approvals: tuple[Signed, ...] = ()
    refusal: Signed | None = None
    executed_at: float = 0.0
    executed_by: str = ""
    version: int = 1

    @property
    def request(self) -> ApprovalRequest:
        """The request as operators sign it."""
        return ApprovalRequest(
            *(getattr(self, field) for field in ApprovalRequest.__struct_fields__)
        )

    @property
    def signatures(self) -> list[OperatorSignature]:
        """The approvals, as the HSM takes them."""
        return [
            OperatorSignature(one.operator, bytes.fromhex(one.signature)) for one in self.approvals
        ]

    def state_at(self, now: float) -> str:
        is_late = self.state == OPEN and now >= self.expires_at
        return EXPIRED if is_late else self.state

    def approved_by(self, roster: Roster) -> list[str]:
        """Return who approved of those who are operators now."""
        return [one.operator for one in self.approvals if one.operator in roster.names]


def approved(approval: Approval, signed: Signed) -> Approval:
    """Return the successor with an operator's approval, in place of an earlier one of that name."""
    others = (one for one in approval.approvals if one.operator != signed.operator)
    return changed(approval, approvals=(*others, signed))


def refused(approval: Approval, signed: Signed) -> Approval:
    return changed(approval, state=REFUSED, refusal=signed)


def executed(approval: Approval, by: str, now: float) -> Approval:
    return changed(approval, state=EXECUTED, executed_by=by, executed_at=now)


def expired(approval: Approval) -> Approval:
    return changed(approval, state=EXPIRED)


def shown_approval(approval: Approval, now: float) -> dict[str, Any]:
    """Return a request in the members of the admin service."""
    shown: dict[str, Any] = {
        "RequestId": approval.request_id,
        "DeploymentId": approval.deployment_id,
        "Action": approval.action,
        "Resource": approval.resource,
        "Parameters": approval.parameters,
        "Reason": approval.reason,
        "MadeBy": approval.made_by,
        "MadeAt": approval.made_at,
        "NotBefore": approval.not_before,
        "ExpiresAt": approval.expires_at,
        "State": approval.state_at(now),
        "Approvals": [_shown(one) for one in approval.approvals],
    }
    if approval.document:
        shown["Document"] = approval.document
    if approval.refusal is not None:
        shown["Refusal"] = _shown(approval.refusal)
    if approval.state == EXECUTED:
        shown |= {"ExecutedBy": approval.executed_by, "ExecutedAt": approval.executed_at}
    return shown


def _shown(signed: Signed) -> dict[str, Any]:
    return {
        "OperatorName": signed.operator,
        "Signature": signed.signature,
        "SignedAt": signed.at,
    }
