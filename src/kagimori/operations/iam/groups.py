"""Groups, and who is in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from kagimori.entities.identity_tables import ATTACHMENTS, GROUPS, MEMBERSHIPS, USERS
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import GROUP, USER
from kagimori.operations.iam.answers import shown_group, shown_user
from kagimori.operations.iam.boundaries import uses_of
from kagimori.operations.iam.iam_operation import (
    AboutNamed,
    On,
    page,
    put,
    read_page,
)
from kagimori.operations.iam.making import CreateIdentity, ListIdentities, NewIdentity
from kagimori.operations.operation import Outcome, Withheld
from kagimori.ports import Delete, ExpectAtMost, Put, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.folding import fold
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.group import Group, Membership
from kagimori.rules.identity.managed_policy import Attachment
from kagimori.rules.identity.refusals import DeleteConflict, EntityAlreadyExists
from kagimori.rules.identity.user import User
from kagimori_boundary.commands import Command


class CreateGroup(CreateIdentity[Group, NewIdentity]):
    kind = GROUP
    quota = quotas.GROUPS

    def look_up(self, asked: Asked) -> NewIdentity:
        return self.planned(asked, NewIdentity)

    def made(self, asked: Request, facts: NewIdentity) -> Group:
        given = asked.call.input
        return Group(
            partition=asked.partition,
            account_id=asked.caller.account_id,
            name=given.GroupName,
            path=given.Path or "/",
            unique_id=unique_ids.unique_id(unique_ids.GROUP, facts.drawn),
            created_at=asked.now,
        )

    def shown(self, entity: Group) -> dict[str, Any]:
        return shown_group(entity)


class WithUsers(On[Group]):
    """A page of the group's users, and the members that say whether it is all."""

    users: Sequence[User] = ()
    rest: Mapping[str, Any] = {}


class GetGroup(AboutNamed[Group, WithUsers, None]):
    """A group and a page of its users."""

    read_only = True
    kind = GROUP

    def look_up(self, asked: Asked) -> WithUsers | Withheld:
        return self.found(asked, WithUsers)

    def read(self, asked: Asked, facts: WithUsers) -> WithUsers:
        group = facts.entity
        of_group = (group.account_id, group.folded)
        shown, rest = read_page(asked, MEMBERSHIPS, of_group, group.folded, wanted=None)
        users = [asked.view.one(USERS, (one.account_id, one.member)) for one in shown]
        named = [user for user in users if user is not None]
        return replace(facts, users=named, rest=rest)

    def finish(self, asked: Request, facts: WithUsers, reply: None) -> Outcome:
        users = [shown_user(user, whole=False) for user in facts.users]
        return Outcome({"Group": shown_group(facts.entity), "Users": users, **facts.rest})


class ListGroups(ListIdentities[Group]):
    kind = GROUP

    def shown(self, asked: Asked, entity: Group) -> dict[str, Any]:
        return shown_group(entity)


class WithGroups(On[User]):
    """The groups that the user is in."""

    groups: Sequence[Group] = ()


class ListGroupsForUser(AboutNamed[User, WithGroups, None]):
    read_only = True
    kind = USER

    def look_up(self, asked: Asked) -> WithGroups | Withheld:
        return self.found(asked, WithGroups)

    def read(self, asked: Asked, facts: WithGroups) -> WithGroups:
        user = facts.entity
        members: Sequence[Membership] = asked.view.group(
            MEMBERSHIPS, "by_member", (user.account_id, user.folded)
        )
        groups = [asked.view.one(GROUPS, (one.account_id, one.in_group)) for one in members]
        return replace(facts, groups=[group for group in groups if group is not None])

    def finish(self, asked: Request, facts: WithGroups, reply: None) -> Outcome:
        entries = [(group.folded, shown_group(group)) for group in facts.groups]
        return Outcome(page(asked, "Groups", entries, facts.entity.folded))


class Renaming(On[Group]):
    """The entities that change with a group's name; `is_taken`: another group has the new name."""

    is_taken: bool = False
    memberships: Sequence[Membership] = ()
    uses: Sequence[Attachment] = ()


class UpdateGroup(AboutNamed[Group, Renaming, None]):
    """Another name or path; members and policies go with it."""

    kind = GROUP

    def look_up(self, asked: Asked) -> Renaming | Withheld:
        facts = self.found(asked, Renaming)
        if isinstance(facts, Withheld):
            return facts
        name, path = _new_name(asked, facts.entity)
        group = facts.entity
        arn = identity_arn(group.partition, group.account_id, "group", path, name)
        return replace(facts, needs=(*facts.needs, self.need(arn)))

    def read(self, asked: Asked, facts: Renaming) -> Renaming:
        group = facts.entity
        name, _ = _new_name(asked, group)
        if fold(name) == group.folded:
            return facts
        folded = (group.account_id, group.folded)
        return replace(
            facts,
            is_taken=asked.view.one(GROUPS, (group.account_id, fold(name))) is not None,
            memberships=asked.view.group(MEMBERSHIPS, "by_group", folded),
            uses=uses_of(asked.view, group),
        )

    def ask(self, asked: Request, allowed: Allowed, facts: Renaming) -> Command | None:
        if facts.is_taken:
            name = asked.call.input.NewGroupName
            raise EntityAlreadyExists(f"Group with name {name} already exists.")
        return None

    def finish(self, asked: Request, facts: Renaming, reply: None) -> Outcome:
        group = facts.entity
        name, path = _new_name(asked, group)
        if (name, path) == (group.name, group.path):
            return Outcome()
        if fold(name) == group.folded:
            return Outcome(writes=(put(GROUP, group, name=name, path=path),))
        moved = replace(group, name=name, path=path, version=1)
        writes: list[Write] = [Delete(GROUPS, group), Put(GROUPS, moved)]
        for membership in facts.memberships:
            writes.append(Delete(MEMBERSHIPS, membership))
            writes.append(Put(MEMBERSHIPS, replace(membership, in_group=moved.folded, version=1)))
        for use in facts.uses:
            writes.append(Delete(ATTACHMENTS, use))
            writes.append(Put(ATTACHMENTS, replace(use, bearer=moved.folded, version=1)))
        return Outcome(writes=(*writes, _nobody_in(group)))


def _nobody_in(group: Group) -> ExpectAtMost:
    """Return the expectation that nobody joined a group while it was being taken away."""
    return ExpectAtMost(MEMBERSHIPS, "by_group", (group.account_id, group.folded))


def _new_name(asked: Request, group: Group) -> tuple[str, str]:
    given = asked.call.input
    return given.NewGroupName or group.name, given.NewPath or group.path


class WithMemberships(On[Group]):
    """The group's memberships."""

    memberships: Sequence[Membership] = ()


class DeleteGroup(AboutNamed[Group, WithMemberships, None]):
    kind = GROUP

    def look_up(self, asked: Asked) -> WithMemberships | Withheld:
        return self.found(asked, WithMemberships)

    def read(self, asked: Asked, facts: WithMemberships) -> WithMemberships:
        group = (facts.entity.account_id, facts.entity.folded)
        return replace(facts, memberships=asked.view.group(MEMBERSHIPS, "by_group", group))

    def ask(self, asked: Request, allowed: Allowed, facts: WithMemberships) -> Command | None:
        for is_there, what in (
            (facts.entity.attached, "detach all policies"),
            (facts.entity.inline_policies, "delete policies"),
            (facts.memberships, "remove users from group"),
        ):
            if is_there:
                raise DeleteConflict(f"Cannot delete entity, must {what} first.")
        return None

    def finish(self, asked: Request, facts: WithMemberships, reply: None) -> Outcome:
        group = facts.entity
        return Outcome(writes=(Delete(GROUPS, group), _nobody_in(group)))
