"""Groups, and who is in them."""

from typing import Any

from msgspec.structs import replace

from kagimori.entities.identity_tables import ATTACHMENTS, GROUPS, MEMBERSHIPS, USERS
from kagimori.gate.asked import Asked
from kagimori.gate.identities import GROUP, USER, identity_named, not_found
from kagimori.operations.iam.answers import shown_group, shown_user
from kagimori.operations.iam.boundaries import uses_of
from kagimori.operations.iam.iam_operation import Found, OnNamed, all_named, page, page_entries, put
from kagimori.operations.iam.making import CreateIdentity, Creating, ListIdentities
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete, Expect, ExpectAtMost, Put, Write
from kagimori.rules.entity import changed
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.bearer import fold, identity_arn
from kagimori.rules.identity.group import Group, Membership
from kagimori.rules.identity.refusals import DeleteConflict, EntityAlreadyExists, NoSuchEntity


class CreateGroup(CreateIdentity):
    kind = GROUP
    quota = quotas.GROUPS

    def made(self, asked: Asked, facts: Creating) -> Group:
        given = asked.call.input
        return Group(
            partition=asked.partition,
            account_id=asked.caller.account_id,
            name=given.GroupName,
            path=given.Path or "/",
            unique_id=unique_ids.unique_id(unique_ids.GROUP, asked.draw()),
            created_at=asked.now,
        )

    def shown(self, entity: Group) -> dict[str, Any]:
        return shown_group(entity)


class GetGroup(OnNamed):
    """A group and a page of its users."""

    read_only = True
    kind = GROUP

    def read(self, asked: Asked, entity: Group) -> Any:
        scope = (entity.account_id, entity.folded)
        members = asked.view.group(MEMBERSHIPS, "by_group", scope)
        entries = [(one.member, one) for one in members]
        shown, rest = page_entries(asked, entries, entity.folded)
        users = all_named(asked.view, USERS, entity.account_id)
        named = [users[member] for member, _ in shown if member in users]
        return {"Users": [shown_user(user, whole=False) for user in named], **rest}

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome({"Group": shown_group(facts.entity), **facts.more})


class ListGroups(ListIdentities):
    kind = GROUP

    def shown(self, asked: Asked, entity: Group) -> dict[str, Any]:
        return shown_group(entity)


class ListGroupsForUser(OnNamed):
    read_only = True
    kind = USER

    def read(self, asked: Asked, entity: Any) -> Any:
        scope = (entity.account_id, entity.folded)
        members = asked.view.group(MEMBERSHIPS, "by_member", scope)
        return [asked.view.one(GROUPS, (one.account_id, one.in_group)) for one in members]

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        entries = [(group.folded, shown_group(group)) for group in facts.more if group]
        return Outcome(page(asked, "Groups", entries, facts.entity.folded))


class UpdateGroup(OnNamed):
    """Another name or path; members and policies go with it."""

    kind = GROUP

    def look_up(self, asked: Asked) -> Found:
        facts = super().look_up(asked)
        group = facts.entity
        if group is not None:
            name, path = _new_name(asked, group)
            facts.needs += (
                self.need(identity_arn(group.partition, group.account_id, "group", path, name)),
            )
        return facts

    def read(self, asked: Asked, entity: Group) -> Any:
        name, _ = _new_name(asked, entity)
        if fold(name) == entity.folded:
            return None, (), ()
        return (
            asked.view.one(GROUPS, (entity.account_id, fold(name))),
            asked.view.group(MEMBERSHIPS, "by_group", (entity.account_id, entity.folded)),
            uses_of(asked.view, entity),
        )

    def check(self, asked: Asked, facts: Found) -> None:
        if facts.more[0] is not None:
            name = asked.call.input.NewGroupName
            raise EntityAlreadyExists(f"Group with name {name} already exists.")

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        group = facts.entity
        name, path = _new_name(asked, group)
        if (name, path) == (group.name, group.path):
            return Outcome()
        if fold(name) == group.folded:
            return Outcome(writes=(put(GROUP, group, name=name, path=path),))
        moved = replace(group, name=name, path=path, version=1)
        writes: list[Write] = [Delete(GROUPS, group), Put(GROUPS, moved)]
        for membership in facts.more[1]:
            writes.append(Delete(MEMBERSHIPS, membership))
            writes.append(Put(MEMBERSHIPS, replace(membership, in_group=moved.folded, version=1)))
        for use in facts.more[2]:
            writes.append(Delete(ATTACHMENTS, use))
            writes.append(Put(ATTACHMENTS, replace(use, bearer=moved.folded, version=1)))
        return Outcome(writes=(*writes, _nobody_in(group)))


def _nobody_in(group: Group) -> ExpectAtMost:
    """Return the expectation that nobody joined a group while it was being taken away."""
    return ExpectAtMost(MEMBERSHIPS, "by_group", (group.account_id, group.folded))


def _new_name(asked: Asked, group: Group) -> tuple[str, str]:
    given = asked.call.input
    return given.NewGroupName or group.name, given.NewPath or group.path


class DeleteGroup(OnNamed):
    kind = GROUP

    def read(self, asked: Asked, entity: Group) -> Any:
        return asked.view.group(MEMBERSHIPS, "by_group", (entity.account_id, entity.folded))

    def check(self, asked: Asked, facts: Found) -> None:
        for is_there, what in (
            (facts.entity.attached, "detach all policies"),
            (facts.entity.inline_policies, "delete policies"),
            (facts.more, "remove users from group"),
        ):
            if is_there:
                raise DeleteConflict(f"Cannot delete entity, must {what} first.")

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        group = facts.entity
        return Outcome(writes=(Delete(GROUPS, group), _nobody_in(group)))


class _OnMembership(OnNamed):
    kind = GROUP

    def read(self, asked: Asked, entity: Group) -> Any:
        name = asked.call.input.UserName
        user = identity_named(asked.view, USER, entity.account_id, name)
        scope = (entity.account_id, fold(name))
        return user, asked.view.group(MEMBERSHIPS, "by_member", scope)

    def check(self, asked: Asked, facts: Found) -> None:
        if facts.more[0] is None:
            raise not_found(USER, asked.call.input.UserName)

    @staticmethod
    def membership(facts: Found) -> Membership | None:
        group = facts.entity.folded
        return next((one for one in facts.more[1] if one.in_group == group), None)


class AddUserToGroup(_OnMembership):
    """Adding who is there already is no failure."""

    def check(self, asked: Asked, facts: Found) -> None:
        super().check(asked, facts)
        if self.membership(facts) is None:
            quotas.GROUPS_OF_USER.check(len(facts.more[1]))

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        if self.membership(facts) is not None:
            return Outcome()
        group, user = facts.entity, facts.more[0]
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
    def check(self, asked: Asked, facts: Found) -> None:
        super().check(asked, facts)
        if self.membership(facts) is None:
            names = asked.call.input
            raise NoSuchEntity(f"User {names.UserName} not in group {names.GroupName}")

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(writes=(Delete(MEMBERSHIPS, self.membership(facts)),))
