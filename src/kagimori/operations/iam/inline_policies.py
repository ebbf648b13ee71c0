"""Policies that are part of a user, group or role."""

from typing import TypeVar

from kagimori.gate.asked import Request
from kagimori.gate.identities import GROUP, ROLE, USER
from kagimori.operations.iam.answers import encoded_policy
from kagimori.operations.iam.boundaries import boundary_value
from kagimori.operations.iam.iam_operation import On, OnNamed, page, put
from kagimori.operations.operation import Outcome
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.documents import check_inline_size, read_policy
from kagimori.rules.identity.group import Group
from kagimori.rules.identity.refusals import NoSuchEntity
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.user import User
from kagimori.rules.policy.document import Kind
from kagimori_boundary.commands import Command

B = TypeVar("B", bound=Bearer)


class _PutPolicy(OnNamed[B, None]):
    def values(self, asked: Request, entity: B | None) -> dict[str, str]:
        return boundary_value(entity)

    def ask(self, asked: Request, allowed: Allowed, facts: On[B]) -> Command | None:
        check_inline_size(self.kind.noun, facts.entity.name, _with_new(asked, facts))
        read_policy(asked.call.input.PolicyDocument, Kind.IDENTITY, asked.partition)
        return None

    def finish(self, asked: Request, facts: On[B], reply: None) -> Outcome:
        policies = _with_new(asked, facts)
        return Outcome(writes=(put(self.kind, facts.entity, inline_policies=policies),))


def _with_new(asked: Request, facts: On[B]) -> dict[str, str]:
    """Return the inline policies as they are to be."""
    given = asked.call.input
    return {**facts.entity.inline_policies, given.PolicyName: given.PolicyDocument}


class PutUserPolicy(_PutPolicy[User]):
    kind = USER


class PutGroupPolicy(_PutPolicy[Group]):
    kind = GROUP


class PutRolePolicy(_PutPolicy[Role]):
    kind = ROLE


class _OnInlinePolicy(OnNamed[B, None]):
    def ask(self, asked: Request, allowed: Allowed, facts: On[B]) -> Command | None:
        name = asked.call.input.PolicyName
        if name not in facts.entity.inline_policies:
            raise NoSuchEntity(f"The {self.kind.noun} policy with name {name} cannot be found.")
        return None


class _GetPolicy(_OnInlinePolicy[B]):
    read_only = True

    def finish(self, asked: Request, facts: On[B], reply: None) -> Outcome:
        name = asked.call.input.PolicyName
        return Outcome(
            {
                self.kind.member: facts.entity.name,
                "PolicyName": name,
                "PolicyDocument": encoded_policy(facts.entity.inline_policies[name]),
            }
        )


class GetUserPolicy(_GetPolicy[User]):
    kind = USER


class GetGroupPolicy(_GetPolicy[Group]):
    kind = GROUP


class GetRolePolicy(_GetPolicy[Role]):
    kind = ROLE


class _DeletePolicy(_OnInlinePolicy[B]):
    def values(self, asked: Request, entity: B | None) -> dict[str, str]:
        return boundary_value(entity)

    def finish(self, asked: Request, facts: On[B], reply: None) -> Outcome:
        rest = dict(facts.entity.inline_policies)
        del rest[asked.call.input.PolicyName]
        return Outcome(writes=(put(self.kind, facts.entity, inline_policies=rest),))


class DeleteUserPolicy(_DeletePolicy[User]):
    kind = USER


class DeleteGroupPolicy(_DeletePolicy[Group]):
    kind = GROUP


class DeleteRolePolicy(_DeletePolicy[Role]):
    kind = ROLE


class _ListPolicies(OnNamed[B, None]):
    read_only = True

    def finish(self, asked: Request, facts: On[B], reply: None) -> Outcome:
        entries = [(name, name) for name in facts.entity.inline_policies]
        return Outcome(page(asked, "PolicyNames", entries, facts.entity.arn))


class ListUserPolicies(_ListPolicies[User]):
    kind = USER


class ListGroupPolicies(_ListPolicies[Group]):
    kind = GROUP


class ListRolePolicies(_ListPolicies[Role]):
    kind = ROLE
