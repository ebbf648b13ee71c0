"""Permissions boundaries: set when a user or role is made, put, and taken away.

Source: IAM User Guide, access_policies_boundaries.
"""

from typing import TypeVar

from msgspec.structs import replace

from kagimori.entities.identity_tables import ATTACHMENTS, MANAGED_POLICIES
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import ROLE, USER, managed_policy
from kagimori.operations.iam.iam_operation import AboutNamed, On, check_policy_arn, put
from kagimori.operations.operation import Outcome, Withheld
from kagimori.ports import Delete, Expect, Put, View, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.managed_policy import Attachment, ManagedPolicy
from kagimori.rules.identity.refusals import NoSuchEntity
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.user import User
from kagimori_boundary.commands import Command

POLICY, BOUNDARY = "policy", "boundary"

B = TypeVar("B", bound=Bearer)


def use_of(view: View, bearer: Bearer, arn: str, use: str) -> Attachment | None:
    """Return the record that a bearer has a policy attached, or as its boundary."""
    key = (bearer.account_id, arn, use, bearer.noun, bearer.folded)
    found: Attachment | None = view.one(ATTACHMENTS, key)
    return found


def uses_of(view: View, bearer: Bearer) -> list[Attachment]:
    """Return all records of policies that a bearer has, the boundary's too."""
    uses = [use_of(view, bearer, arn, POLICY) for arn in bearer.attached]
    if bearer.boundary is not None:
        uses.append(use_of(view, bearer, bearer.boundary, BOUNDARY))
    return [use for use in uses if use is not None]


def use_writes(bearer: Bearer, policy: ManagedPolicy, use: str) -> list[Write]:
    """Return the writes by which a policy comes into use.

    The policy is expected to be there still: who deletes it expects that it is in no use.
    """
    attachment = Attachment(
        account_id=bearer.account_id,
        policy_arn=policy.arn,
        use=use,
        noun=bearer.noun,
        bearer=bearer.folded,
    )
    writes: list[Write] = [Put(ATTACHMENTS, attachment)]
    if policy.account_id == bearer.account_id:
        writes.append(Expect(MANAGED_POLICIES, policy))
    return writes


def boundary_writes(
    bearer: Bearer, before: Attachment | None, bound: ManagedPolicy | None
) -> list[Write]:
    """Return the writes beside the bearer's own when another boundary replaces the one before."""
    if before is not None and bound is not None and before.policy_arn == bound.arn:
        return []
    writes: list[Write] = [] if before is None else [Delete(ATTACHMENTS, before)]
    return writes if bound is None else [*writes, *use_writes(bearer, bound, BOUNDARY)]


def refuse_bad_boundary(asked: Request, arn: str, bound: ManagedPolicy | None) -> None:
    """Check that a policy can be a boundary here.

    Raises:
        NoSuchEntity, ValidationError: it cannot.
    """
    check_policy_arn(asked, arn)
    if bound is None or bound.account_id not in (asked.caller.account_id, "aws"):
        raise NoSuchEntity(f"Scope ARN: {arn} does not exist or is not attachable.")


class Bounding(On[B]):
    """The policy that is to be the boundary, and the record of the one before."""

    bound: ManagedPolicy | None = None
    before: Attachment | None = None


class _PutBoundary(AboutNamed[B, Bounding[B], None]):
    def values(self, asked: Request, entity: B | None) -> dict[str, str]:
        return {"iam_permissionsboundary": asked.call.input.PermissionsBoundary}

    def look_up(self, asked: Asked) -> Bounding[B] | Withheld:
        return self.found(asked, Bounding)

    def read(self, asked: Asked, facts: Bounding[B]) -> Bounding[B]:
        bound = managed_policy(asked.view, asked.call.input.PermissionsBoundary)
        return replace(facts, bound=bound, before=_boundary_use(asked.view, facts.entity))

    def ask(self, asked: Request, allowed: Allowed, facts: Bounding[B]) -> Command | None:
        arn = asked.call.input.PermissionsBoundary
        refuse_bad_boundary(asked, arn, facts.bound)
        return None

    def finish(self, asked: Request, facts: Bounding[B], reply: None) -> Outcome:
        own = put(self.kind, facts.entity, boundary=asked.call.input.PermissionsBoundary)
        return Outcome(writes=(own, *boundary_writes(facts.entity, facts.before, facts.bound)))


class PutUserPermissionsBoundary(_PutBoundary[User]):
    kind = USER


class PutRolePermissionsBoundary(_PutBoundary[Role]):
    kind = ROLE


class _DeleteBoundary(AboutNamed[B, Bounding[B], None]):
    def values(self, asked: Request, entity: B | None) -> dict[str, str]:
        return boundary_value(entity)

    def look_up(self, asked: Asked) -> Bounding[B] | Withheld:
        return self.found(asked, Bounding)

    def read(self, asked: Asked, facts: Bounding[B]) -> Bounding[B]:
        return replace(facts, before=_boundary_use(asked.view, facts.entity))

    def finish(self, asked: Request, facts: Bounding[B], reply: None) -> Outcome:
        if facts.entity.boundary is None:
            return Outcome()
        own = put(self.kind, facts.entity, boundary=None)
        return Outcome(writes=(own, *boundary_writes(facts.entity, facts.before, None)))


class DeleteUserPermissionsBoundary(_DeleteBoundary[User]):
    kind = USER


class DeleteRolePermissionsBoundary(_DeleteBoundary[Role]):
    kind = ROLE


def boundary_value(entity: Bearer | None) -> dict[str, str]:
    """Return `iam:PermissionsBoundary` as it is for a user or role that exists."""
    if entity is None or entity.boundary is None:
        return {}
    return {"iam_permissionsboundary": entity.boundary}


def _boundary_use(view: View, bearer: Bearer) -> Attachment | None:
    return None if bearer.boundary is None else use_of(view, bearer, bearer.boundary, BOUNDARY)
