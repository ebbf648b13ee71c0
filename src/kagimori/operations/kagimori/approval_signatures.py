"""Operators' signatures: an approval is one of several, a refusal ends the request at once."""

from typing import Final

from kagimori.entities.tables import APPROVALS, DOMAINS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.kagimori.actions import kept_domains
from kagimori.operations.kagimori.approvals import approval_named, no_such_request
from kagimori.operations.kagimori.refusals import (
    InvalidApprovalException,
    NotApprovedException,
    ResourceNotFoundException,
)
from kagimori.operations.operation import Facts, Operation, Outcome, R, Withheld
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.domains import Domains, performed
from kagimori.rules.operators.approval import (
    EXECUTED,
    EXPIRED,
    OPEN,
    REFUSED,
    Approval,
    Signed,
    approved,
    refused,
    shown_approval,
)
from kagimori.rules.refusal import Refusal, ServiceUnavailableException
from kagimori_boundary import commands
from kagimori_boundary.commands import Command, OperatorSignature
from kagimori_boundary.replies import Bytes, Failure, SealedDomains

_APPROVE: Final = "kagimori:SignApproval"
_REFUSE: Final = "kagimori:RefuseApproval"
_OVER: Final = {EXECUTED: "executed", REFUSED: "refused", EXPIRED: "expired"}


class OnApproval(Facts):
    """The domains as they are kept, and the request."""

    domains: Domains | None = None
    approval: Approval | None = None

    @property
    def found(self) -> tuple[Domains, Approval]:
        if self.domains is None or self.approval is None:
            raise ServiceUnavailableException("There are no domain keys here.")
        return self.domains, self.approval

    @property
    def resources(self) -> tuple[tuple[str, str], ...]:
        """The KMS key whose policy is to be replaced: its owner's trail has the record, too."""
        return () if self.approval is None else _key_resources(self.approval)


class _Signing(Operation[OnApproval, R]):
    """One operator's signature over a request, verified by the HSM."""

    service = "kagimori"
    action: str

    def look_up(self, asked: Asked) -> OnApproval | Withheld:
        found = approval_named(asked, self.action)
        if found is None:
            return no_such_request(asked, self.action)
        return OnApproval((Need(self.action),), approval=found)

    def read(self, asked: Asked, facts: OnApproval) -> OnApproval:
        found = OnApproval(
            facts.needs, domains=kept_domains(asked, self.action), approval=facts.approval
        )
        domains, approval = found.found
        name = asked.call.input.OperatorName
        if name not in domains.roster.names:
            raise ResourceNotFoundException(f"There is no operator {name}.")
        check_open(approval, asked.now)
        return found

    def refusal(self, asked: Request, facts: OnApproval, failure: Failure) -> Refusal:
        if failure is Failure.INVALID_SIGNATURE:
            name = asked.call.input.OperatorName
            return InvalidApprovalException(f"This is no signature of {name} over the request.")
        return refusal_of(failure) or super().refusal(asked, facts, failure)


class SignApproval(_Signing[Bytes]):
    """Approve a request as one operator."""

    action = _APPROVE

    def read(self, asked: Asked, facts: OnApproval) -> OnApproval:
        found = super().read(asked, facts)
        domains, approval = found.found
        name = asked.call.input.OperatorName
        if name in approval.approved_by(domains.roster):
            raise NotApprovedException(f"{name} has approved the request already.")
        return found

    def ask(self, asked: Request, allowed: Allowed, facts: OnApproval) -> Command | None:
        domains, approval = facts.found
        return commands.CheckApproval(
            domains.sealed, approval.request, approval.mac, _signature(asked), asked.now
        )

    def finish(self, asked: Request, facts: OnApproval, reply: Bytes) -> Outcome:
        _, approval = facts.found
        after = approved(approval, _signed(asked))
        answer = {"Approval": shown_approval(after, asked.now)}
        return Outcome(answer, (Put(APPROVALS, after, approval),), answer)


class RefuseApproval(_Signing[SealedDomains]):
    """End a request as one operator; nobody can perform it after that."""

    action = _REFUSE

    def ask(self, asked: Request, allowed: Allowed, facts: OnApproval) -> Command | None:
        domains, approval = facts.found
        return commands.RefuseApproval(
            domains.sealed, approval.request, approval.mac, _signature(asked), asked.now
        )

    def finish(self, asked: Request, facts: OnApproval, reply: SealedDomains) -> Outcome:
        domains, approval = facts.found
        after = refused(approval, _signed(asked))
        kept = performed(domains, reply.sealed_domains, reply.keys, reply.roster)
        answer = {"Approval": shown_approval(after, asked.now)}
        writes = (Put(APPROVALS, after, approval), Put(DOMAINS, kept, domains))
        return Outcome(answer, writes, answer)


def check_open(approval: Approval, now: float) -> None:
    """Check that a request is neither over nor expired.

    Raises:
        NotApprovedException: it is.
    """
    state = approval.state_at(now)
    if state != OPEN:
        raise NotApprovedException(f"The request {approval.request_id} is {_OVER[state]}.")


def _key_resources(approval: Approval) -> tuple[tuple[str, str], ...]:
    """Return account and ARN of the KMS key that a request is about, if it is about one."""
    arn = approval.resource
    return ((arn.split(":")[4], arn),) if arn.startswith("arn:") else ()


def refusal_of(failure: Failure) -> Refusal | None:
    """Return the refusal for what the HSM finds wrong with a request; None for other failures."""
    if failure is Failure.TOO_EARLY:
        return NotApprovedException("Operators can refuse the request still.")
    if failure in (Failure.NOT_APPROVED, Failure.FORBIDDEN):
        return NotApprovedException("The HSM does not find the request approved.")
    return None


def _signature(asked: Request) -> OperatorSignature:
    given = asked.call.input
    return OperatorSignature(given.OperatorName, bytes.fromhex(given.Signature))


def _signed(asked: Request) -> Signed:
    given = asked.call.input
    return Signed(given.OperatorName, given.Signature, asked.now)
