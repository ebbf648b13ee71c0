"""Policies that are part of a user, group or role."""

from typing import Any

from kagimori.gate.asked import Asked
from kagimori.gate.identities import GROUP, ROLE, USER
from kagimori.operations.iam.answers import encoded_policy
from kagimori.operations.iam.boundaries import boundary_value
from kagimori.operations.iam.iam_operation import Found, OnNamed, page, put
from kagimori.operations.operation import Outcome
from kagimori.rules.identity.documents import check_inline_size, read_policy
from kagimori.rules.identity.refusals import NoSuchEntity
from kagimori.rules.policy.document import Kind


class _PutPolicy(OnNamed):
    def values(self, asked: Asked, entity: Any) -> dict[str, str]:
        return boundary_value(entity)

    def check(self, asked: Asked, facts: Found) -> None:
        given, entity = asked.call.input, facts.entity
        read_policy(given.PolicyDocument, Kind.IDENTITY, asked.partition)
        facts.more = {**entity.inline_policies, given.PolicyName: given.PolicyDocument}
        check_inline_size(self.kind.noun, entity.name, facts.more)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(writes=(put(self.kind, facts.entity, inline_policies=facts.more),))


class PutUserPolicy(_PutPolicy):
    kind = USER


class PutGroupPolicy(_PutPolicy):
    kind = GROUP


class PutRolePolicy(_PutPolicy):
    kind = ROLE


class _OnInlinePolicy(OnNamed):
    def check(self, asked: Asked, facts: Found) -> None:
        name = asked.call.input.PolicyName
        if name not in facts.entity.inline_policies:
            raise NoSuchEntity(f"The {self.kind.noun} policy with name {name} cannot be found.")


class _GetPolicy(_OnInlinePolicy):
    read_only = True

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        name = asked.call.input.PolicyName
        return Outcome(
            {
                self.kind.member: facts.entity.name,
                "PolicyName": name,
                "PolicyDocument": encoded_policy(facts.entity.inline_policies[name]),
            }
        )


class GetUserPolicy(_GetPolicy):
    kind = USER


class GetGroupPolicy(_GetPolicy):
    kind = GROUP


class GetRolePolicy(_GetPolicy):
    kind = ROLE


class _DeletePolicy(_OnInlinePolicy):
    def values(self, asked: Asked, entity: Any) -> dict[str, str]:
        return boundary_value(entity)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        rest = dict(facts.entity.inline_policies)
        del rest[asked.call.input.PolicyName]
        return Outcome(writes=(put(self.kind, facts.entity, inline_policies=rest),))


class DeleteUserPolicy(_DeletePolicy):
    kind = USER


class DeleteGroupPolicy(_DeletePolicy):
    kind = GROUP


class DeleteRolePolicy(_DeletePolicy):
    kind = ROLE


class _ListPolicies(OnNamed):
    read_only = True

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        entries = [(name, name) for name in facts.entity.inline_policies]
        return Outcome(page(asked, "PolicyNames", entries, facts.entity.arn))


class ListUserPolicies(_ListPolicies):
    kind = USER


class ListGroupPolicies(_ListPolicies):
    kind = GROUP


class ListRolePolicies(_ListPolicies):
    kind = ROLE
