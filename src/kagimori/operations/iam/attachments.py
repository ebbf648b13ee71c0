"""Managed policies attached to users, groups and roles."""

from typing import Any, Final

from kagimori.entities.identity_tables import ATTACHMENTS
from kagimori.gate.asked import Asked
from kagimori.gate.identities import GROUP, ROLE, USER, managed_policy
from kagimori.operations.iam.boundaries import POLICY, boundary_value, use_of, use_writes
from kagimori.operations.iam.iam_operation import (
    Found,
    OnNamed,
    OnPolicy,
    all_named,
    check_policy_arn,
    page,
    page_entries,
    put,
    starts_with,
)
from kagimori.operations.iam.policies import attachments_of, uses_asked_for
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete
from kagimori.rules.identity import quotas
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.managed_policy import ManagedPolicy
from kagimori.rules.identity.refusals import NoSuchEntity


class _OnAttachment(OnNamed):
    def values(self, asked: Asked, entity: Any) -> dict[str, str]:
        return {"iam_policyarn": asked.call.input.PolicyArn, **boundary_value(entity)}


class _AttachPolicy(_OnAttachment):
    """Attaching what is attached already is no failure."""

    def read(self, asked: Asked, entity: Bearer) -> Any:
        return managed_policy(asked.view, asked.call.input.PolicyArn)

    def check(self, asked: Asked, facts: Found) -> None:
        arn, policy, bearer = asked.call.input.PolicyArn, facts.more, facts.entity
        check_policy_arn(asked, arn)
        if policy is None or policy.account_id not in (bearer.account_id, "aws"):
            raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")
        if arn not in bearer.attached:
            quotas.ATTACHED[bearer.noun].check(len(bearer.attached))

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        policy, bearer = facts.more, facts.entity
        if policy.arn in bearer.attached:
            return Outcome()
        own = put(self.kind, bearer, attached=(*bearer.attached, policy.arn))
        return Outcome(writes=(own, *use_writes(bearer, policy, POLICY)))


class AttachUserPolicy(_AttachPolicy):
    kind = USER


class AttachGroupPolicy(_AttachPolicy):
    kind = GROUP


class AttachRolePolicy(_AttachPolicy):
    kind = ROLE


class _DetachPolicy(_OnAttachment):
    def read(self, asked: Asked, entity: Bearer) -> Any:
        return use_of(asked.view, entity, asked.call.input.PolicyArn, POLICY)

    def check(self, asked: Asked, facts: Found) -> None:
        arn = asked.call.input.PolicyArn
        if arn not in facts.entity.attached:
            check_policy_arn(asked, arn)
            raise NoSuchEntity(f"Policy {arn} was not found.")

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        arn = asked.call.input.PolicyArn
        rest = tuple(one for one in facts.entity.attached if one != arn)
        use = () if facts.more is None else (Delete(ATTACHMENTS, facts.more),)
        return Outcome(writes=(put(self.kind, facts.entity, attached=rest), *use))


class DetachUserPolicy(_DetachPolicy):
    kind = USER


class DetachGroupPolicy(_DetachPolicy):
    kind = GROUP


class DetachRolePolicy(_DetachPolicy):
    kind = ROLE


class _ListAttached(OnNamed):
    read_only = True

    def read(self, asked: Asked, entity: Bearer) -> Any:
        found = [managed_policy(asked.view, arn) for arn in entity.attached]
        return [policy for policy in found if policy is not None]

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        entries = [
            (f"{policy.folded}:{policy.account_id}", shown_attached(policy))
            for policy in facts.more
            if starts_with(asked, policy)
        ]
        scope = (facts.entity.arn, asked.call.input.PathPrefix or "/")
        return Outcome(page(asked, "AttachedPolicies", entries, *scope))


def shown_attached(policy: ManagedPolicy) -> dict[str, str]:
    return {"PolicyName": policy.name, "PolicyArn": policy.arn}


class ListAttachedUserPolicies(_ListAttached):
    kind = USER


class ListAttachedGroupPolicies(_ListAttached):
    kind = GROUP


class ListAttachedRolePolicies(_ListAttached):
    kind = ROLE


_KINDS: Final = {kind.noun: kind for kind in (USER, GROUP, ROLE)}


class ListEntitiesForPolicy(OnPolicy):
    """Who has a policy attached, or as boundary; who has both is listed once."""

    read_only = True
    takes_aws = True

    def read(self, asked: Asked, policy: ManagedPolicy) -> Any:
        given, wanted = asked.call.input, uses_asked_for(asked)
        entity_filter = given.EntityFilter
        uses = {
            f"{use.noun}/{use.bearer}": use
            for use in attachments_of(asked.view, asked.caller.account_id, policy)
            if use.use in wanted and entity_filter in (None, use.noun.title())
        }
        account_id = asked.caller.account_id
        named = {
            noun: all_named(asked.view, _KINDS[noun].table, account_id)
            for noun in {use.noun for use in uses.values()}
        }
        bearers = [(key, named[use.noun].get(use.bearer)) for key, use in uses.items()]
        entries = [pair for pair in bearers if pair[1] and starts_with(asked, pair[1])]
        scope = (policy.arn, entity_filter or "", given.PathPrefix or "/", *wanted)
        shown, rest = page_entries(asked, entries, *scope)
        return [bearer for _, bearer in shown], rest

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        bearers, rest = facts.more
        answer: dict[str, Any] = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": []}
        for bearer in bearers:
            noun = bearer.noun.title()
            answer[f"Policy{noun}s"].append(
                {f"{noun}Name": bearer.name, f"{noun}Id": bearer.unique_id}
            )
        return Outcome({**answer, **rest})
