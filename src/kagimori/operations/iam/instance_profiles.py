"""Instance profiles: no machine asks for them here, yet tools make one beside each role."""

from typing import Any

from kagimori.entities.identity_tables import INSTANCE_PROFILES, ROLES
from kagimori.gate.asked import Asked, Need
from kagimori.gate.identities import ROLE, Kind, identity_named, not_found
from kagimori.operations.iam.answers import shown_instance_profile, shown_role
from kagimori.operations.iam.iam_operation import (
    Found,
    OnNamed,
    Room,
    page,
    page_entries,
    put,
    room,
    starts_with,
)
from kagimori.operations.iam.roles import trust_text
from kagimori.operations.iam.tags import ListTags, Tag, Untag
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete, Expect, Put
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.bearer import fold, identity_arn
from kagimori.rules.identity.instance_profile import InstanceProfile
from kagimori.rules.identity.refusals import DeleteConflict, EntityAlreadyExists, NoSuchEntity
from kagimori.rules.identity.tags import read_tags, with_tags
from kagimori.rules.partitions import partition_of
from kagimori_boundary.commands import Command

PROFILE = Kind("instance-profile", "InstanceProfileName", INSTANCE_PROFILES)


class NewProfile(Found):
    """`entity` is a namesake there already."""

    space: Room | None = None
    tags: Any = None


class CreateInstanceProfile(IamOperation):
    def look_up(self, asked: Asked) -> NewProfile:
        given, account_id = asked.call.input, asked.caller.account_id
        name = given.InstanceProfileName
        arn = identity_arn(asked.partition, account_id, PROFILE.noun, given.Path or "/", name)
        tagging = (Need("iam:TagInstanceProfile", resource=arn),) if given.Tags else ()
        facts = NewProfile((self.need(arn), *tagging))
        facts.entity = asked.view.one(INSTANCE_PROFILES, (account_id, fold(name)))
        facts.space = room(asked, INSTANCE_PROFILES)
        return facts

    def ask(self, asked: Asked, facts: NewProfile) -> Command | None:
        given = asked.call.input
        facts.tags = with_tags({}, read_tags(given.Tags))
        if facts.entity is not None:
            raise EntityAlreadyExists(
                f"Instance Profile {given.InstanceProfileName} already exists."
            )
        return None

    def finish(self, asked: Asked, facts: NewProfile, reply: Any) -> Outcome:
        given = asked.call.input
        profile = InstanceProfile(
            partition=asked.partition,
            account_id=asked.caller.account_id,
            name=given.InstanceProfileName,
            path=given.Path or "/",
            unique_id=unique_ids.unique_id(unique_ids.INSTANCE_PROFILE, asked.draw()),
            created_at=asked.now,
            tags=facts.tags,
        )
        beside = () if facts.space is None else (facts.space.for_one(quotas.INSTANCE_PROFILES),)
        answer = {"InstanceProfile": shown_instance_profile(profile, [])}
        return Outcome(answer, (Put(INSTANCE_PROFILES, profile), *beside), answer)


def _shown(asked: Asked, profile: InstanceProfile) -> dict[str, Any]:
    role = asked.view.one(ROLES, (profile.account_id, profile.role)) if profile.role else None
    if role is None:
        return shown_instance_profile(profile, [])
    text = trust_text(asked.view, role)
    return shown_instance_profile(profile, [shown_role(role, text, whole=False)])


class _OnProfile(OnNamed):
    kind = PROFILE

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        if facts.entity is None:
            name = asked.call.input.InstanceProfileName
            raise NoSuchEntity(f"Instance Profile {name} cannot be found.")
        return super().ask(asked, facts)


class GetInstanceProfile(_OnProfile):
    read_only = True

    def read(self, asked: Asked, entity: InstanceProfile) -> Any:
        return _shown(asked, entity)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome({"InstanceProfile": facts.more})


class DeleteInstanceProfile(_OnProfile):
    def check(self, asked: Asked, facts: Found) -> None:
        if facts.entity.role:
            raise DeleteConflict(
                "Cannot delete entity, must remove roles from instance profile first."
            )

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(writes=(Delete(INSTANCE_PROFILES, facts.entity),))


class _OnProfileAndRole(_OnProfile):
    def read(self, asked: Asked, entity: InstanceProfile) -> Any:
        return identity_named(asked.view, ROLE, entity.account_id, asked.call.input.RoleName)

    def check(self, asked: Asked, facts: Found) -> None:
        if facts.more is None:
            raise not_found(ROLE, asked.call.input.RoleName)


class AddRoleToInstanceProfile(_OnProfileAndRole):
    """Needs the permission to pass the role, as on AWS."""

    def look_up(self, asked: Asked) -> Found:
        facts = super().look_up(asked)
        role = facts.more
        arn = identity_arn(
            asked.partition, asked.caller.account_id, "role", "/", asked.call.input.RoleName
        )
        values = {"iam:passedtoservice": f"ec2.{partition_of(asked.call.region).dns_suffix}"}
        passing = Need("iam:PassRole", resource=role.arn if role else arn, values=values)
        facts.needs += (passing,)
        return facts

    def check(self, asked: Asked, facts: Found) -> None:
        super().check(asked, facts)
        quotas.ROLES_OF_INSTANCE_PROFILE.check(int(bool(facts.entity.role)))

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        profile, role = facts.entity, facts.more
        return Outcome(writes=(put(PROFILE, profile, role=role.folded), Expect(ROLES, role)))


class RemoveRoleFromInstanceProfile(_OnProfileAndRole):
    def check(self, asked: Asked, facts: Found) -> None:
        super().check(asked, facts)
        if facts.entity.role != facts.more.folded:
            raise not_found(ROLE, asked.call.input.RoleName)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(writes=(put(PROFILE, facts.entity, role=""),))


class ListInstanceProfiles(IamOperation):
    read_only = True

    def look_up(self, asked: Asked) -> Found:
        account_id = asked.caller.account_id
        prefix = asked.call.input.PathPrefix or "/"
        listed = asked.view.group(INSTANCE_PROFILES, "by_account", (account_id,))
        entries = [(one.folded, one) for one in listed if starts_with(asked, one)]
        shown, rest = page_entries(asked, entries, prefix)
        answer = {"InstanceProfiles": [_shown(asked, one) for _, one in shown], **rest}
        return Found(
            (self.need(identity_arn(asked.partition, account_id, PROFILE.noun, prefix, "")),),
            more=answer,
        )

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(facts.more)


class ListInstanceProfilesForRole(OnNamed):
    read_only = True
    kind = ROLE

    def read(self, asked: Asked, entity: Any) -> Any:
        scope = (entity.account_id, entity.folded)
        profiles = asked.view.group(INSTANCE_PROFILES, "by_role", scope)
        return [(profile.folded, _shown(asked, profile)) for profile in profiles]

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(page(asked, "InstanceProfiles", facts.more, facts.entity.arn))


class TagInstanceProfile(Tag, _OnProfile):
    table = INSTANCE_PROFILES


class UntagInstanceProfile(Untag, _OnProfile):
    table = INSTANCE_PROFILES


class ListInstanceProfileTags(ListTags, _OnProfile):
    pass
