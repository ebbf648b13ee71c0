"""Managed policies: made, shown, listed, deleted; and their versions."""

from typing import Any, Final

from kagimori.entities.identity_tables import ATTACHMENTS, MANAGED_POLICIES
from kagimori.gate.asked import Asked, Need
from kagimori.operations.iam.answers import shown_policy, shown_version
from kagimori.operations.iam.boundaries import BOUNDARY, POLICY
from kagimori.operations.iam.iam_operation import Found, OnPolicy, Room, page, room, starts_with
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete, ExpectAtMost, Put, View
from kagimori.rules.entity import changed
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.aws_managed import aws_managed_policies
from kagimori.rules.identity.bearer import fold, identity_arn
from kagimori.rules.identity.documents import MANAGED_CHARACTERS_MAX, check_size, read_policy
from kagimori.rules.identity.managed_policy import (
    VERSIONS_MAX,
    Attachment,
    ManagedPolicy,
    PolicyVersion,
)
from kagimori.rules.identity.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
)
from kagimori.rules.identity.tags import read_tags, with_tags
from kagimori.rules.policy.document import Kind
from kagimori_boundary.commands import Command

_USES: Final = {"PermissionsPolicy": POLICY, "PermissionsBoundary": BOUNDARY}


def check_document(text: str, partition: str) -> None:
    """Return if a text can be a managed policy.

    Raises:
        MalformedPolicyDocument, LimitExceeded: it cannot.
    """
    read_policy(text, Kind.IDENTITY, partition)
    check_size(text, quota="PolicySize", most=MANAGED_CHARACTERS_MAX)


def uses_asked_for(asked: Asked) -> tuple[str, ...]:
    """Return the uses that a `PolicyUsageFilter` lets through."""
    wanted: str | None = asked.call.input.PolicyUsageFilter
    return tuple(_USES.values()) if wanted is None else (_USES[wanted],)


class NewPolicy(Found):
    """`entity` is a namesake there already."""

    space: Room | None = None
    tags: Any = None


class CreatePolicy(IamOperation):
    def look_up(self, asked: Asked) -> NewPolicy:
        given, account_id = asked.call.input, asked.caller.account_id
        arn = identity_arn(
            asked.partition, account_id, "policy", given.Path or "/", given.PolicyName
        )
        tagging = (Need("iam:TagPolicy", resource=arn),) if given.Tags else ()
        facts = NewPolicy((self.need(arn), *tagging))
        facts.entity = asked.view.one(MANAGED_POLICIES, (account_id, fold(given.PolicyName)))
        facts.space = room(asked, MANAGED_POLICIES)
        return facts

    def ask(self, asked: Asked, facts: NewPolicy) -> Command | None:
        given = asked.call.input
        facts.tags = with_tags({}, read_tags(given.Tags))
        check_document(given.PolicyDocument, asked.partition)
        if facts.entity is not None:
            raise EntityAlreadyExists(
                f"A policy called {given.PolicyName} already exists. Duplicate names are not "
                "allowed."
            )
        return None

    def finish(self, asked: Asked, facts: NewPolicy, reply: Any) -> Outcome:
        given, now = asked.call.input, asked.now
        policy = ManagedPolicy(
            partition=asked.partition,
            account_id=asked.caller.account_id,
            name=given.PolicyName,
            path=given.Path or "/",
            unique_id=unique_ids.unique_id(unique_ids.MANAGED_POLICY, asked.draw()),
            created_at=now,
            updated_at=now,
            description=given.Description,
            versions=(PolicyVersion(number=1, text=given.PolicyDocument, created_at=now),),
            tags=facts.tags,
        )
        shown = shown_policy(policy, attached=0, bounding=0, described=True, tagged=True)
        beside = () if facts.space is None else (facts.space.for_one(quotas.MANAGED_POLICIES),)
        answer = {"Policy": shown}
        return Outcome(answer, (Put(MANAGED_POLICIES, policy), *beside), answer)


def attachments_of(view: View, account_id: str, policy: ManagedPolicy) -> list[Attachment]:
    """Return where in the account a policy is in use."""
    return list(view.group(ATTACHMENTS, "by_policy", (account_id, policy.arn)))


def counts(uses: list[Attachment]) -> dict[str, int]:
    bounding = sum(use.use == BOUNDARY for use in uses)
    return {"attached": len(uses) - bounding, "bounding": bounding}


class GetPolicy(OnPolicy):
    read_only = True
    takes_aws = True

    def read(self, asked: Asked, policy: ManagedPolicy) -> Any:
        return attachments_of(asked.view, asked.caller.account_id, policy)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        shown = shown_policy(facts.entity, described=True, tagged=True, **counts(facts.more))
        return Outcome({"Policy": shown})


class ListPolicies(IamOperation):
    """A page of the account's policies and AWS's."""

    read_only = True

    def look_up(self, asked: Asked) -> Found:
        account_id = asked.caller.account_id
        own = asked.view.group(MANAGED_POLICIES, "by_account", (account_id,))
        uses = asked.view.group(ATTACHMENTS, "by_account", (account_id,))
        # AWS's own name for it, which is no ARN: only the Resource `*` means it.
        resource = f"policy path {asked.call.input.PathPrefix or '/'}"
        return Found((self.need(resource),), entity=own, more=uses)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        given = asked.call.input
        scope, wanted = given.Scope or "All", uses_asked_for(asked)
        local = () if scope == "AWS" else facts.entity
        listed = [*local, *(() if scope == "Local" else aws_managed_policies(asked.partition))]
        uses: dict[str, list[Attachment]] = {}
        for use in facts.more:
            uses.setdefault(use.policy_arn, []).append(use)
        is_used_only = given.OnlyAttached or given.PolicyUsageFilter is not None
        entries = [
            # AWS's policies may have the same names as the account's.
            (f"{policy.folded}:{policy.account_id}", self._shown(policy, uses.get(policy.arn, [])))
            for policy in listed
            if starts_with(asked, policy)
            and not (
                is_used_only and not any(use.use in wanted for use in uses.get(policy.arn, ()))
            )
        ]
        marks = (scope, str(given.OnlyAttached), given.PathPrefix or "/", *wanted)
        return Outcome(page(asked, "Policies", entries, *marks))

    @staticmethod
    def _shown(policy: ManagedPolicy, uses: list[Attachment]) -> dict[str, Any]:
        return shown_policy(policy, described=False, tagged=False, **counts(uses))


class DeletePolicy(OnPolicy):
    """A policy that is in use nowhere and has one version only."""

    def read(self, asked: Asked, policy: ManagedPolicy) -> Any:
        return attachments_of(asked.view, asked.caller.account_id, policy)

    def check(self, asked: Asked, facts: Found) -> None:
        if facts.more:
            raise DeleteConflict("Cannot delete a policy attached to entities.")
        if len(facts.entity.versions) > 1:
            raise DeleteConflict(
                "This policy has more than one version. Before you delete a policy, you must "
                "delete the policy's versions. The default version is deleted with the policy."
            )

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        policy = facts.entity
        unused = ExpectAtMost(ATTACHMENTS, "by_policy", (policy.account_id, policy.arn))
        return Outcome(writes=(Delete(MANAGED_POLICIES, policy), unused))


# --- versions -------------------------------------------------------------------------------------


class CreatePolicyVersion(OnPolicy):
    def check(self, asked: Asked, facts: Found) -> None:
        check_document(asked.call.input.PolicyDocument, asked.partition)
        if len(facts.entity.versions) >= VERSIONS_MAX:
            raise LimitExceeded(
                f"A managed policy can have up to {VERSIONS_MAX} versions. Before you create a "
                "new version, you must delete an existing version."
            )

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        given, policy = asked.call.input, facts.entity
        number = policy.newest + 1
        version = PolicyVersion(number=number, text=given.PolicyDocument, created_at=asked.now)
        after = changed(
            policy,
            versions=(*policy.versions, version),
            newest=number,
            default_number=number if given.SetAsDefault else policy.default_number,
            updated_at=asked.now,
        )
        answer = {"PolicyVersion": shown_version(after, version, with_text=False)}
        return Outcome(answer, (Put(MANAGED_POLICIES, after, policy),), answer)


class ListPolicyVersions(OnPolicy):
    read_only = True
    takes_aws = True

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        policy = facts.entity
        # The newest first, as AWS lists them.
        entries = [
            (f"{place:02}", shown_version(policy, version, with_text=False))
            for place, version in enumerate(reversed(policy.versions))
        ]
        return Outcome(page(asked, "Versions", entries, policy.arn))


class _OnVersion(OnPolicy):
    def check(self, asked: Asked, facts: Found) -> None:
        given = asked.call.input
        facts.more = facts.entity.policy_version(given.VersionId)
        if facts.more is None:
            raise NoSuchEntity(
                f"Policy {given.PolicyArn} version {given.VersionId} does not exist or is not "
                "attachable."
            )


class GetPolicyVersion(_OnVersion):
    read_only = True
    takes_aws = True

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome({"PolicyVersion": shown_version(facts.entity, facts.more, with_text=True)})


class SetDefaultPolicyVersion(_OnVersion):
    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        policy, number = facts.entity, facts.more.number
        if policy.default_number == number:
            return Outcome()
        after = changed(policy, default_number=number, updated_at=asked.now)
        return Outcome(writes=(Put(MANAGED_POLICIES, after, policy),))


class DeletePolicyVersion(_OnVersion):
    def check(self, asked: Asked, facts: Found) -> None:
        super().check(asked, facts)
        if facts.more.number == facts.entity.default_number:
            raise DeleteConflict("Cannot delete the default version of a policy.")

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        policy = facts.entity
        rest = tuple(one for one in policy.versions if one is not facts.more)
        after = changed(policy, versions=rest, updated_at=asked.now)
        return Outcome(writes=(Put(MANAGED_POLICIES, after, policy),))
