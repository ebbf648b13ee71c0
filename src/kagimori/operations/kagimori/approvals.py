"""Requests for dangerous actions: made, listed, and looked at."""

from collections.abc import Sequence
from typing import Any, Final

from kagimori.entities.tables import APPROVALS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view
from kagimori.operations.kagimori.actions import Proposal, kept_domains, proposal
from kagimori.operations.kagimori.keys import key_at, key_ref, no_such_key
from kagimori.operations.kagimori.pages import after_of, answer_of, limit_of
from kagimori.operations.kagimori.refusals import (
    ApprovalRequiredException,
    ResourceNotFoundException,
)
from kagimori.operations.operation import Facts, Operation, Outcome, Withheld
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.domains import Domains
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.operators.approval import (
    OPEN,
    OPEN_MAX,
    Approval,
    expired,
    shown_approval,
)
from kagimori.rules.refusal import (
    LimitExceededException,
    Refusal,
    ServiceUnavailableException,
    ValidationException,
)
from kagimori_boundary.commands import Command, OpenApproval
from kagimori_boundary.replies import Failure, OpenedApproval

_REQUEST: Final = "kagimori:RequestApproval"
_GET: Final = "kagimori:GetApproval"
_LIST: Final = "kagimori:ListApprovals"


class Proposed(Facts):
    """The domains as they are kept, the proposal, and requests that have expired."""

    kms_key: KmsKey | None = None
    domains: Domains | None = None
    proposal: Proposal | None = None
    expired: Sequence[Approval] = ()

    @property
    def found(self) -> tuple[Domains, Proposal]:
        if self.domains is None or self.proposal is None:
            raise ServiceUnavailableException("There are no domain keys here.")
        return self.domains, self.proposal

    @property
    def resources(self) -> tuple[tuple[str, str], ...]:
        """The KMS key: its owner's trail shows that its policy is to be replaced."""
        kms_key = self.kms_key
        return () if kms_key is None else ((kms_key.account_id, kms_key.arn),)


class RequestApproval(Operation[Proposed, OpenedApproval]):
    """Make a request that operators can sign; nothing else is done by it."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> Proposed | Withheld:
        check_operator(asked, _REQUEST)
        if asked.call.input.KeyId is None:
            return Proposed((Need(_REQUEST),))
        kms_key = key_at(asked, key_ref(asked, _REQUEST, aliases=True), _REQUEST)
        if kms_key is None:
            return Withheld((Need(_REQUEST),), refusal=no_such_key(asked))
        return Proposed((Need(_REQUEST),), kms_key=kms_key)

    def read(self, asked: Asked, facts: Proposed) -> Proposed:
        domains = kept_domains(asked, _REQUEST)
        if not domains.roster.operators:
            raise ApprovalRequiredException(
                "There are no operators yet who could approve: add them first (AddOperators)."
            )
        waiting = deployment_view(asked, _REQUEST).page(
            APPROVALS, (OPEN,), None, 2 * OPEN_MAX, "by_state"
        )
        late = [one for one in waiting if one.state_at(asked.now) != OPEN]
        if len(waiting) - len(late) >= OPEN_MAX:
            raise LimitExceededException(f"{OPEN_MAX} requests are waiting already.")
        return Proposed(
            facts.needs,
            kms_key=facts.kms_key,
            domains=domains,
            proposal=proposal(asked, asked.call.input.Action, domains, facts.kms_key),
            expired=late,
        )

    def ask(self, asked: Request, allowed: Allowed, facts: Proposed) -> Command | None:
        domains, made = facts.found
        return OpenApproval(
            domains.sealed,
            asked.call.input.Action,
            made.resource,
            made.parameters,
            asked.call.input.Reason,
            asked.caller.principal.arn,
            asked.settings.approval_valid_seconds,
            asked.now,
        )

    def refusal(self, asked: Request, facts: Proposed, failure: Failure) -> Refusal:
        if failure in (Failure.FORBIDDEN, Failure.UNSUPPORTED):
            return ValidationException("The HSM makes no such request.")
        return super().refusal(asked, facts, failure)

    def finish(self, asked: Request, facts: Proposed, reply: OpenedApproval) -> Outcome:
        _, made = facts.found
        approval = Approval(
            request_id=reply.request_id,
            deployment_id=reply.deployment_id,
            action=asked.call.input.Action,
            resource=made.resource,
            parameters=made.parameters,
            reason=asked.call.input.Reason,
            made_by=asked.caller.principal.arn,
            made_at=reply.made_at,
            not_before=reply.not_before,
            expires_at=reply.expires_at,
            mac=reply.mac,
            document=made.document,
        )
        late = (Put(APPROVALS, expired(one), one) for one in facts.expired)
        answer = {"Approval": shown_approval(approval, asked.now)}
        return Outcome(answer, (Put(APPROVALS, approval), *late), answer)


class FoundApprovals(Facts):
    approvals: Sequence[Approval] = ()


class GetApproval(Operation[FoundApprovals, None]):
    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> FoundApprovals | Withheld:
        found = approval_named(asked, _GET)
        if found is None:
            return no_such_request(asked, _GET)
        return FoundApprovals((Need(_GET),), approvals=(found,))

    def finish(self, asked: Request, facts: FoundApprovals, reply: None) -> Outcome:
        return Outcome({"Approval": shown_approval(facts.approvals[0], asked.now)})


class ListApprovals(Operation[FoundApprovals, None]):
    """List requests, the oldest first, with all that was signed but the documents."""

    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> FoundApprovals:
        check_operator(asked, _LIST)
        return FoundApprovals((Need(_LIST),))

    def read(self, asked: Asked, facts: FoundApprovals) -> FoundApprovals:
        found = deployment_view(asked, _LIST).page(
            APPROVALS, (), after_of(asked), limit_of(asked) + 1
        )
        return FoundApprovals(facts.needs, approvals=found)

    def finish(self, asked: Request, facts: FoundApprovals, reply: None) -> Outcome:
        def shown(approval: Approval) -> dict[str, Any]:
            members = shown_approval(approval, asked.now)
            members.pop("Document", None)
            return members

        return Outcome(
            answer_of(
                asked, facts.approvals, "Approvals", shown, lambda approval: approval.request_id
            )
        )


def approval_named(asked: Asked, action: str) -> Approval | None:
    """Return the request that a call names, for an operator; None if there is none."""
    request_id = asked.call.input.RequestId
    found: Approval | None = deployment_view(asked, action).one(APPROVALS, (request_id,))
    return found


def no_such_request(asked: Asked, action: str) -> Withheld:
    refusal = ResourceNotFoundException(f"There is no request {asked.call.input.RequestId}.")
    return Withheld((Need(action),), refusal=refusal)
