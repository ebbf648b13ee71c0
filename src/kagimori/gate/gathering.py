"""Gathers the policies of an identity: its own, those attached to it, and those of its groups.

Deciding and simulating both gather here, so that a simulation says what a decision will be.
"""

from collections.abc import Sequence

from msgspec import Struct

from kagimori.entities.identity_tables import GROUPS, MEMBERSHIPS
from kagimori.gate.identities import managed_policy
from kagimori.ports import View
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.group import Group, Membership
from kagimori.rules.identity.managed_policy import ManagedPolicy


class Holder(Struct, frozen=True):
    """An identity, and the managed policies that it names: None for one that does not exist."""

    bearer: Bearer
    attached: tuple[ManagedPolicy | None, ...]
    boundary: ManagedPolicy | None = None

    @property
    def existing(self) -> tuple[ManagedPolicy, ...]:
        """The attached policies that exist."""
        return tuple(policy for policy in self.attached if policy is not None)

    @property
    def is_bounded(self) -> bool:
        """Return whether a boundary is set, though it may not exist."""
        return self.bearer.boundary is not None

    @property
    def entities(self) -> tuple[object, ...]:
        """Everything that was looked up: entities never change, so the same are equal."""
        return (self.bearer, *self.attached, self.boundary)


def gathered(view: View, bearer: Bearer) -> tuple[Holder, ...]:
    """Return the holders of the policies that count for a user, group or role, itself first.

    The boundary is the first one's; a group has none.

    Raises:
        Absent: not in memory yet.
    """
    holders = [_holder(view, bearer)]
    if bearer.noun == "user":
        key = (bearer.account_id, bearer.folded)
        members: Sequence[Membership] = view.group(MEMBERSHIPS, "by_member", key)
        for membership in members:
            group: Group | None = view.one(GROUPS, (bearer.account_id, membership.in_group))
            if group is not None:
                holders.append(_holder(view, group))
    return tuple(holders)


def _holder(view: View, bearer: Bearer) -> Holder:
    attached = tuple(managed_policy(view, arn) for arn in bearer.attached)
    bound = bearer.boundary
    return Holder(bearer, attached, None if bound is None else managed_policy(view, bound))
