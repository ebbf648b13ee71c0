"""Managed policies attached to users, groups and roles."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from kagimori.entities.identity_tables import ATTACHMENTS
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import BEARERS, GROUP, ROLE, USER, managed_policy
from kagimori.operations.iam.boundaries import POLICY, boundary_value, use_of, use_writes
from kagimori.operations.iam.iam_operation import (
    AboutNamed,
    AboutPolicy,
    On,
    all_named,
    check_policy_arn,
    page,
    page_entries,
    put,
    starts_with,
)
from kagimori.operations.iam.policies import attachments_of, uses_asked_for
from kagimori.operations.operation import Outcome, Withheld
from kagimori.ports import Delete
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.identity import quotas
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.group import Group
from kagimori.rules.identity.managed_policy import Attachment, ManagedPolicy
from kagimori.rules.identity.refusals import NoSuchEntity
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.user import User
from kagimori_boundary.commands import Command

B = TypeVar("B", bound=Bearer)


class Attaching(On[B]):
    """The policy that is to be attached."""

    policy: ManagedPolicy | None = None


class Detaching(On[B]):
    """The record that the policy is attached."""

    use: Attachment | None = None


def _values(asked: Request, entity: Bearer | None) -> dict[str, str]:
    return {"iam_policyarn": asked.call.input.PolicyArn, **boundary_value(entity)}


class _AttachPolicy(AboutNamed[B, Attaching[B], None]):
    """Attaches a policy; attaching it again is no failure."""

    def values(self, asked: Request, entity: B | None) -> dict[str, str]:
        return _values(asked, entity)

    def look_up(self, asked: Asked) -> Attaching[B] | Withheld:
        return self.found(asked, Attaching)

    def read(self, asked: Asked, facts: Attaching[B]) -> Attaching[B]:
        arn, bearer = asked.call.input.PolicyArn, facts.entity
        check_policy_arn(asked, arn)
        policy = managed_policy(asked.view, arn)
        if policy is None or policy.account_id not in (bearer.account_id, "aws"):
            raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")
        return replace(facts, policy=policy)

    def ask(self, asked: Request, allowed: Allowed, facts: Attaching[B]) -> Command | None:
        bearer = facts.entity
        if asked.call.input.PolicyArn not in bearer.attached:
            quotas.ATTACHED[bearer.noun].check(len(bearer.attached))
        return None

    def finish(self, asked: Request, facts: Attaching[B], reply: None) -> Outcome:
        policy, bearer = facts.policy, facts.entity
        if policy is None or policy.arn in bearer.attached:
            return Outcome()
        own = put(self.kind, bearer, attached=(*bearer.attached, policy.arn))
        return Outcome(writes=(own, *use_writes(bearer, policy, POLICY)))


class AttachUserPolicy(_AttachPolicy[User]):
    kind = USER


class AttachGroupPolicy(_AttachPolicy[Group]):
    kind = GROUP


class AttachRolePolicy(_AttachPolicy[Role]):
    kind = ROLE


class _DetachPolicy(AboutNamed[B, Detaching[B], None]):
    def values(self, asked: Request, entity: B | None) -> dict[str, str]:
        return _values(asked, entity)

    def look_up(self, asked: Asked) -> Detaching[B] | Withheld:
        return self.found(asked, Detaching)

    def read(self, asked: Asked, facts: Detaching[B]) -> Detaching[B]:
        use = use_of(asked.view, facts.entity, asked.call.input.PolicyArn, POLICY)
        return replace(facts, use=use)

    def ask(self, asked: Request, allowed: Allowed, facts: Detaching[B]) -> Command | None:
        arn = asked.call.input.PolicyArn
        if arn not in facts.entity.attached:
            check_policy_arn(asked, arn)
            raise NoSuchEntity(f"Policy {arn} was not found.")
        return None

    def finish(self, asked: Request, facts: Detaching[B], reply: None) -> Outcome:
        arn = asked.call.input.PolicyArn
        rest = tuple(one for one in facts.entity.attached if one != arn)
        use = () if facts.use is None else (Delete(ATTACHMENTS, facts.use),)
        return Outcome(writes=(put(self.kind, facts.entity, attached=rest), *use))


class DetachUserPolicy(_DetachPolicy[User]):
    kind = USER


class DetachGroupPolicy(_DetachPolicy[Group]):
    kind = GROUP


class DetachRolePolicy(_DetachPolicy[Role]):
    kind = ROLE


class WithPolicies(On[B]):
    """The managed policies that are attached."""

    policies: Sequence[ManagedPolicy] = ()


class _ListAttached(AboutNamed[B, WithPolicies[B], None]):
    read_only = True

    def look_up(self, asked: Asked) -> WithPolicies[B] | Withheld:
        return self.found(asked, WithPolicies)

    def read(self, asked: Asked, facts: WithPolicies[B]) -> WithPolicies[B]:
        found = [managed_policy(asked.view, arn) for arn in facts.entity.attached]
        return replace(facts, policies=[policy for policy in found if policy is not None])

    def finish(self, asked: Request, facts: WithPolicies[B], reply: None) -> Outcome:
        entries = [
            (f"{policy.folded}:{policy.account_id}", shown_attached(policy))
            for policy in facts.policies
            if starts_with(asked, policy.path)
        ]
        scope = (facts.entity.arn, asked.call.input.PathPrefix or "/")
        return Outcome(page(asked, "AttachedPolicies", entries, *scope))


def shown_attached(policy: ManagedPolicy) -> dict[str, str]:
    return {"PolicyName": policy.name, "PolicyArn": policy.arn}


class ListAttachedUserPolicies(_ListAttached[User]):
    kind = USER


class ListAttachedGroupPolicies(_ListAttached[Group]):
    kind = GROUP


class ListAttachedRolePolicies(_ListAttached[Role]):
    kind = ROLE


class WithBearers(On[ManagedPolicy]):
    """A page of those who have the policy, and the members that say whether it is all."""

    bearers: Sequence[Bearer] = ()
    rest: Mapping[str, Any] = {}


class ListEntitiesForPolicy(AboutPolicy[WithBearers, None]):
    """Lists identities with a policy attached or as boundary, each once."""

    read_only = True
    takes_aws = True

    def look_up(self, asked: Asked) -> WithBearers | Withheld:
        return self.found(asked, WithBearers)

    def read(self, asked: Asked, facts: WithBearers) -> WithBearers:
        given, wanted = asked.call.input, uses_asked_for(asked)
        entity_filter, account_id = given.EntityFilter, asked.caller.account_id
        uses = {
            f"{use.noun}/{use.bearer}": use
            for use in attachments_of(asked.view, account_id, facts.entity)
            if use.use in wanted and entity_filter in (None, use.noun.title())
        }
        named = {
            noun: all_named(asked.view, BEARERS[noun], account_id)
            for noun in {use.noun for use in uses.values()}
        }
        bearers = [(key, named[use.noun].get(use.bearer)) for key, use in uses.items()]
        entries = [
            (key, one) for key, one in bearers if one is not None and starts_with(asked, one.path)
        ]
        scope = (facts.entity.arn, entity_filter or "", given.PathPrefix or "/", *wanted)
        shown, rest = page_entries(asked, entries, *scope)
        return replace(facts, bearers=[bearer for _, bearer in shown], rest=rest)

    def finish(self, asked: Request, facts: WithBearers, reply: None) -> Outcome:
        answer: dict[str, Any] = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": []}
        for bearer in facts.bearers:
            noun = bearer.noun.title()
            answer[f"Policy{noun}s"].append(
                {f"{noun}Name": bearer.name, f"{noun}Id": bearer.unique_id}
            )
        return Outcome({**answer, **facts.rest})
