"""Users put into groups and taken out of them."""

from collections.abc import Sequence

from msgspec.structs import replace

from kagimori.entities.identity_tables import GROUPS, MEMBERSHIPS, USERS
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import GROUP, USER, identity_named, not_found
from kagimori.operations.iam.iam_operation import AboutNamed, On
from kagimori.operations.operation import Outcome, Withheld
from kagimori.ports import Delete, Expect, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.identity import quotas
from kagimori.rules.identity.group import Group, Membership
from kagimori.rules.identity.refusals import NoSuchEntity
from kagimori.rules.identity.user import User
from kagimori_boundary.commands import Command


class GroupAndUser(On[Group]):
    """The user that is named beside the group, and all memberships of the user."""

    user: User | None = None
    memberships: Sequence[Membership] = ()

    @property
    def membership(self) -> Membership | None:
        """The user's membership in the group; None if there is none."""
        group = self.entity.folded
        return next((one for one in self.memberships if one.in_group == group), None)


class _OnMembership(AboutNamed[Group, GroupAndUser, None]):
    kind = GROUP

    def look_up(self, asked: Asked) -> GroupAndUser | Withheld:
        return self.found(asked, GroupAndUser)

    def read(self, asked: Asked, facts: GroupAndUser) -> GroupAndUser:
        name, account_id = asked.call.input.UserName, facts.entity.account_id
        user = identity_named(asked.view, USER, account_id, name)
        if user is None:
            raise not_found(USER, name)
        memberships = asked.view.group(MEMBERSHIPS, "by_member", (account_id, user.folded))
        return replace(facts, user=user, memberships=memberships)


class AddUserToGroup(_OnMembership):
    """Adding who is there already is no failure."""

    def ask(self, asked: Request, allowed: Allowed, facts: GroupAndUser) -> Command | None:
        if facts.membership is None:
            quotas.GROUPS_OF_USER.check(len(facts.memberships))
        return None

    def finish(self, asked: Request, facts: GroupAndUser, reply: None) -> Outcome:
        group, user = facts.entity, facts.user
        if facts.membership is not None or user is None:
            return Outcome()
        membership = Membership(
            account_id=group.account_id, in_group=group.folded, member=user.folded
        )
        # The user is written, so that it joins no eleventh group meanwhile; the group, that many
        # may join at once, must only be there still.
        return Outcome(
            writes=(
                Put(MEMBERSHIPS, membership),
                Expect(GROUPS, group),
                Put(USERS, changed(user), user),
            )
        )


class RemoveUserFromGroup(_OnMembership):
    def finish(self, asked: Request, facts: GroupAndUser, reply: None) -> Outcome:
        if facts.membership is None:
            names = asked.call.input
            raise NoSuchEntity(f"User {names.UserName} not in group {names.GroupName}")
        return Outcome(writes=(Delete(MEMBERSHIPS, facts.membership),))
