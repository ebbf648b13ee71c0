"""Managed policies: made, shown, listed, deleted."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from kagimori.entities.identity_tables import ATTACHMENTS, MANAGED_POLICIES
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.iam.answers import shown_policy
from kagimori.operations.iam.boundaries import BOUNDARY, POLICY
from kagimori.operations.iam.iam_operation import AboutPolicy, On, page, starts_with
from kagimori.operations.iam.making import New, count_of, new_tags, one_more
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Facts, Outcome, Withheld
from kagimori.ports import Delete, ExpectAtMost, Put, View
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.folding import fold
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.aws_managed import aws_managed_policies
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.documents import MANAGED_CHARACTERS_MAX, check_size, read_policy
from kagimori.rules.identity.managed_policy import Attachment, ManagedPolicy, PolicyVersion
from kagimori.rules.identity.refusals import DeleteConflict, EntityAlreadyExists
from kagimori.rules.policy.document import Kind
from kagimori_boundary.commands import Command

_USES: Final = {"PermissionsPolicy": POLICY, "PermissionsBoundary": BOUNDARY}


def check_document(text: str, partition: str) -> None:
    """Check that a text can be a managed policy.

    Raises:
        MalformedPolicyDocument, LimitExceeded: it cannot.
    """
    check_size(text, quota="PolicySize", most=MANAGED_CHARACTERS_MAX)
    read_policy(text, Kind.IDENTITY, partition)


def uses_asked_for(asked: Request) -> tuple[str, ...]:
    """Return the uses that a `PolicyUsageFilter` lets through."""
    wanted: str | None = asked.call.input.PolicyUsageFilter
    return tuple(_USES.values()) if wanted is None else (_USES[wanted],)


class CreatePolicy(IamOperation[New, None]):
    def look_up(self, asked: Asked) -> New:
        given, account_id = asked.call.input, asked.caller.account_id
        path, name = given.Path or "/", given.PolicyName
        arn = identity_arn(asked.partition, account_id, "policy", path, name)
        tagging = (Need("iam:TagPolicy", resource=arn),) if given.Tags else ()
        return New((self.need(arn), *tagging), drawn=asked.draw())

    def read(self, asked: Asked, facts: New) -> New:
        key = (asked.caller.account_id, fold(asked.call.input.PolicyName))
        return replace(
            facts,
            tags=new_tags(asked),
            is_taken=asked.view.one(MANAGED_POLICIES, key) is not None,
            count=count_of(asked, MANAGED_POLICIES),
        )

    def ask(self, asked: Request, allowed: Allowed, facts: New) -> Command | None:
        given = asked.call.input
        check_document(given.PolicyDocument, asked.partition)
        if facts.is_taken:
            raise EntityAlreadyExists(
                f"A policy called {given.PolicyName} already exists. Duplicate names are not "
                "allowed."
            )
        return None

    def finish(self, asked: Request, facts: New, reply: None) -> Outcome:
        given, now = asked.call.input, asked.now
        policy = ManagedPolicy(
            partition=asked.partition,
            account_id=asked.caller.account_id,
            name=given.PolicyName,
            path=given.Path or "/",
            unique_id=unique_ids.unique_id(unique_ids.MANAGED_POLICY, facts.drawn),
            created_at=now,
            updated_at=now,
            description=given.Description or None,
            versions=(PolicyVersion(number=1, text=given.PolicyDocument, created_at=now),),
            tags=dict(facts.tags),
        )
        shown = shown_policy(policy, attached=0, bounding=0, described=True, tagged=True)
        beside = one_more(
            asked.caller.account_id, MANAGED_POLICIES, facts.count, quotas.MANAGED_POLICIES
        )
        answer = {"Policy": shown}
        return Outcome(answer, (Put(MANAGED_POLICIES, policy), beside), answer)


def attachments_of(view: View, account_id: str, policy: ManagedPolicy) -> list[Attachment]:
    """Return where in the account a policy is in use."""
    return list(view.group(ATTACHMENTS, "by_policy", (account_id, policy.arn)))


def counts(uses: Sequence[Attachment]) -> dict[str, int]:
    bounding = sum(use.use == BOUNDARY for use in uses)
    return {"attached": len(uses) - bounding, "bounding": bounding}


class PolicyInUse(On[ManagedPolicy]):
    """The attachments of a policy in the account."""

    uses: Sequence[Attachment] = ()


class _OnPolicyInUse(AboutPolicy[PolicyInUse, None]):
    def look_up(self, asked: Asked) -> PolicyInUse | Withheld:
        return self.found(asked, PolicyInUse)

    def read(self, asked: Asked, facts: PolicyInUse) -> PolicyInUse:
        uses = attachments_of(asked.view, asked.caller.account_id, facts.entity)
        return replace(facts, uses=uses)


class GetPolicy(_OnPolicyInUse):
    read_only = True
    takes_aws = True

    def finish(self, asked: Request, facts: PolicyInUse, reply: None) -> Outcome:
        shown = shown_policy(facts.entity, described=True, tagged=True, **counts(facts.uses))
        return Outcome({"Policy": shown})


class Listing(Facts):
    """The account's policies, and where policies are in use there."""

    own: Sequence[ManagedPolicy] = ()
    uses: Sequence[Attachment] = ()


class ListPolicies(IamOperation[Listing, None]):
    """A page of the account's policies and AWS's."""

    read_only = True

    def look_up(self, asked: Asked) -> Listing:
        # AWS's own name for it, which is no ARN: only the Resource `*` means it.
        resource = f"policy path {asked.call.input.PathPrefix or '/'}"
        return Listing((self.need(resource),))

    def read(self, asked: Asked, facts: Listing) -> Listing:
        account = (asked.caller.account_id,)
        return replace(
            facts,
            own=asked.view.group(MANAGED_POLICIES, "by_account", account),
            uses=asked.view.group(ATTACHMENTS, "by_account", account),
        )

    def finish(self, asked: Request, facts: Listing, reply: None) -> Outcome:
        given = asked.call.input
        scope, wanted = given.Scope or "All", uses_asked_for(asked)
        local = () if scope == "AWS" else facts.own
        listed = [*local, *(() if scope == "Local" else aws_managed_policies(asked.partition))]
        uses: dict[str, list[Attachment]] = {}
        for use in facts.uses:
            uses.setdefault(use.policy_arn, []).append(use)
        is_used_only = given.OnlyAttached or given.PolicyUsageFilter is not None
        entries = [
            # AWS's policies may have the same names as the account's.
            (f"{policy.folded}:{policy.account_id}", self._shown(policy, uses.get(policy.arn, [])))
            for policy in listed
            if starts_with(asked, policy.path)
            and not (
                is_used_only and not any(use.use in wanted for use in uses.get(policy.arn, ()))
            )
        ]
        marks = (scope, str(given.OnlyAttached), given.PathPrefix or "/", *wanted)
        return Outcome(page(asked, "Policies", entries, *marks))

    @staticmethod
    def _shown(policy: ManagedPolicy, uses: list[Attachment]) -> dict[str, Any]:
        return shown_policy(policy, described=False, tagged=False, **counts(uses))


class DeletePolicy(_OnPolicyInUse):
    """A policy that is in use nowhere and has one version only."""

    def ask(self, asked: Request, allowed: Allowed, facts: PolicyInUse) -> Command | None:
        if facts.uses:
            raise DeleteConflict("Cannot delete a policy attached to entities.")
        if len(facts.entity.versions) > 1:
            raise DeleteConflict(
                "This policy has more than one version. Before you delete a policy, you must "
                "delete the policy's versions. The default version is deleted with the policy."
            )
        return None

    def finish(self, asked: Request, facts: PolicyInUse, reply: None) -> Outcome:
        policy = facts.entity
        unused = ExpectAtMost(ATTACHMENTS, "by_policy", (policy.account_id, policy.arn))
        return Outcome(writes=(Delete(MANAGED_POLICIES, policy), unused))
