"""Dangerous actions performed: once enough operators have approved, or by the administrator alone.

All that changes is in one transaction with the record: the domains in which the HSM has noted that
the request is over, the request, and the key policy where one is replaced.
"""

from typing import Final

from kagimori.entities.tables import APPROVALS, KMS_KEYS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view
from kagimori.operations.kagimori.actions import (
    Proposal,
    digest_of,
    kept_domains,
    proposal,
    writes_of,
)
from kagimori.operations.kagimori.approval_signatures import (
    OnApproval,
    check_open,
    refusal_of,
)
from kagimori.operations.kagimori.approvals import approval_named, no_such_request
from kagimori.operations.kagimori.refusals import (
    ApprovalRequiredException,
    NotApprovedException,
)
from kagimori.operations.key_policy_checks import NewPolicy, check_new_policy
from kagimori.operations.operation import Facts, Operation, Outcome, Withheld
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.keys.domains import Domains, shown_domains
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.names import parse_key_ref
from kagimori.rules.operators.approval import Approval, executed, shown_approval
from kagimori.rules.operators.roster import shown_operators
from kagimori.rules.records.times import iso_time
from kagimori.rules.refusal import (
    NotFoundException,
    Refusal,
    ServiceUnavailableException,
    ValidationException,
)
from kagimori_boundary import commands
from kagimori_boundary.commands import Command, PerformAlone
from kagimori_boundary.commands.approvals import (
    ADD_OPERATORS,
    DESTROY_DOMAIN_KEYS,
    POLICY_SHA256,
    REPLACE_KEY_POLICY,
    ZEROIZE_HSM,
)
from kagimori_boundary.replies import Failure, SealedDomains

_EXECUTE: Final = "kagimori:ExecuteApproval"


class ToBeExecuted(OnApproval):
    """With the key and policy that the request is about, if it is about one."""

    kms_key: KmsKey | None = None
    policy: NewPolicy | None = None


class ExecuteApproval(Operation[ToBeExecuted, SealedDomains]):
    """Perform a request that enough operators approved and nobody refused in time."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> ToBeExecuted | Withheld:
        found = approval_named(asked, _EXECUTE)
        if found is None:
            return no_such_request(asked, _EXECUTE)
        return ToBeExecuted((Need(_EXECUTE),), approval=found)

    def read(self, asked: Asked, facts: ToBeExecuted) -> ToBeExecuted:
        found = ToBeExecuted(domains=kept_domains(asked, _EXECUTE), approval=facts.approval)
        domains, approval = found.found
        check_open(approval, asked.now)
        has, needs = len(approval.approved_by(domains.roster)), domains.roster.quorum
        if has < needs:
            raise NotApprovedException(f"{has} of {needs} operators have approved the request.")
        if asked.now < approval.not_before:
            raise NotApprovedException(
                f"Operators can refuse the request until {iso_time(approval.not_before)}."
            )
        kms_key, policy = None, None
        if approval.action == REPLACE_KEY_POLICY:
            kms_key = _key_of(asked, approval)
            policy = check_new_policy(asked, kms_key, approval.document, bypass=True)
        return ToBeExecuted(
            facts.needs, domains=domains, approval=approval, kms_key=kms_key, policy=policy
        )

    def ask(self, asked: Request, allowed: Allowed, facts: ToBeExecuted) -> Command | None:
        domains, approval = facts.found
        return commands.ExecuteApproval(
            domains.sealed, approval.request, approval.mac, approval.signatures, asked.now
        )

    def refusal(self, asked: Request, facts: ToBeExecuted, failure: Failure) -> Refusal:
        return refusal_of(failure) or super().refusal(asked, facts, failure)

    def finish(self, asked: Request, facts: ToBeExecuted, reply: SealedDomains) -> Outcome:
        domains, approval = facts.found
        after = executed(approval, asked.caller.principal.arn, asked.now)
        writes = [
            Put(APPROVALS, after, approval),
            *writes_of(approval.action, approval.parameters, domains, reply, asked.now),
        ]
        if facts.kms_key is not None and facts.policy is not None:
            kms_key = changed(
                facts.kms_key, key_policy=approval.document, policy_pins=facts.policy.pins
            )
            kms_key.hand_over(facts.policy.compiled)
            writes.append(Put(KMS_KEYS, kms_key, facts.kms_key))
        answer = {"Approval": shown_approval(after, asked.now)}
        return Outcome(answer, writes, answer)


def _key_of(asked: Asked, approval: Approval) -> KmsKey:
    """Return the KMS key whose policy is to be replaced.

    Raises:
        NotFoundException: it is gone meanwhile.
        NotApprovedException: the document is another one than was approved.
    """
    ref = parse_key_ref(approval.resource, account_id="", region=approval.resource.split(":")[3])
    found: KmsKey | None = deployment_view(asked, _EXECUTE).one(
        KMS_KEYS, (ref.account_id, ref.region, ref.key_id or "")
    )
    if found is None:
        raise NotFoundException(f"Key '{approval.resource}' does not exist")
    if digest_of(approval.document) != approval.parameters.get(POLICY_SHA256):
        raise NotApprovedException("The key policy is another one than was approved.")
    return found


class Alone(Facts):
    """The domains as they are kept, and the proposal."""

    domains: Domains | None = None
    proposal: Proposal | None = None

    @property
    def found(self) -> tuple[Domains, Proposal]:
        if self.domains is None or self.proposal is None:
            raise ServiceUnavailableException("There are no domain keys here.")
        return self.domains, self.proposal


class _PerformAlone(Operation[Alone, SealedDomains]):
    """An action that the administrator may perform alone as long as there are no operators."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> Alone:
        check_operator(asked, f"kagimori:{self.name}")
        return Alone((Need(f"kagimori:{self.name}"),))

    def read(self, asked: Asked, facts: Alone) -> Alone:
        permission = f"kagimori:{self.name}"
        domains = kept_domains(asked, permission)
        if domains.roster.operators:
            raise ApprovalRequiredException(
                f"{domains.roster.quorum} of {len(domains.roster.operators)} operators must "
                "approve this: make a request (RequestApproval)."
            )
        proposed = proposal(asked, self.name, domains)
        return Alone(facts.needs, domains=domains, proposal=proposed)

    def ask(self, asked: Request, allowed: Allowed, facts: Alone) -> Command | None:
        domains, proposed = facts.found
        return PerformAlone(
            domains.sealed, self.name, proposed.parameters, asked.now, asked.caller.proof
        )

    def refusal(self, asked: Request, facts: Alone, failure: Failure) -> Refusal:
        if failure is Failure.INVALID_PUBLIC_KEY:
            return ValidationException("A public key is not one that an operator can have.")
        return refusal_of(failure) or super().refusal(asked, facts, failure)

    def finish(self, asked: Request, facts: Alone, reply: SealedDomains) -> Outcome:
        domains, proposed = facts.found
        writes = writes_of(self.name, proposed.parameters, domains, reply, asked.now)
        after: Domains = writes[0].entity
        answer = {
            "DeploymentId": after.roster.deployment_id,
            "Quorum": after.roster.quorum,
            "Operators": shown_operators(after.roster),
            "Domains": shown_domains(after),
        }
        shown = {name: answer[name] for name in _ANSWERS[self.name]}
        return Outcome(shown, writes, shown)


class AddOperators(_PerformAlone):
    """Add the first operators of the deployment."""


class DestroyDomainKeys(_PerformAlone):
    """Have domain keys destroyed that have not rested."""


class ZeroizeHsm(_PerformAlone):
    """Have the HSM forget every key until the server is started again."""


_ANSWERS: Final = {
    ADD_OPERATORS: ("DeploymentId", "Quorum", "Operators"),
    DESTROY_DOMAIN_KEYS: ("Domains",),
    ZEROIZE_HSM: (),
}
