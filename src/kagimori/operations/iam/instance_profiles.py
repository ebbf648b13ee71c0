"""Instance profiles: no machine asks for them here, yet tools make one beside each role."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from kagimori.entities.identity_tables import INSTANCE_PROFILES, ROLES
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.identities import ROLE, Kind, identity_named, not_found
from kagimori.operations.iam.answers import shown_instance_profile, shown_role
from kagimori.operations.iam.iam_operation import (
    AboutNamed,
    Answered,
    O,
    On,
    in_path,
    page,
    put,
    read_page,
)
from kagimori.operations.iam.making import New, count_of, new_tags, one_more
from kagimori.operations.iam.roles import trust_text
from kagimori.operations.iam.tags import ListTags, Tag, Untag
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome, R, Withheld
from kagimori.ports import Delete, Expect, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.folding import fold
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.instance_profile import InstanceProfile
from kagimori.rules.identity.refusals import DeleteConflict, EntityAlreadyExists, NoSuchEntity
from kagimori.rules.identity.role import Role
from kagimori.rules.partitions import partition_of
from kagimori.rules.refusal import Refusal
from kagimori_boundary.commands import Command

PROFILE: Final[Kind[InstanceProfile]] = Kind(
    "instance-profile", "InstanceProfileName", INSTANCE_PROFILES
)


class CreateInstanceProfile(IamOperation[New, None]):
    def look_up(self, asked: Asked) -> New:
        given, account_id = asked.call.input, asked.caller.account_id
        path, name = given.Path or "/", given.InstanceProfileName
        arn = identity_arn(asked.partition, account_id, PROFILE.noun, path, name)
        tagging = (Need("iam:TagInstanceProfile", resource=arn),) if given.Tags else ()
        return New((self.need(arn), *tagging), drawn=asked.draw())

    def read(self, asked: Asked, facts: New) -> New:
        key = (asked.caller.account_id, fold(asked.call.input.InstanceProfileName))
        return replace(
            facts,
            tags=new_tags(asked),
            is_taken=asked.view.one(INSTANCE_PROFILES, key) is not None,
            count=count_of(asked, INSTANCE_PROFILES),
        )

    def ask(self, asked: Request, allowed: Allowed, facts: New) -> Command | None:
        if facts.is_taken:
            name = asked.call.input.InstanceProfileName
            raise EntityAlreadyExists(f"Instance Profile {name} already exists.")
        return None

    def finish(self, asked: Request, facts: New, reply: None) -> Outcome:
        given = asked.call.input
        profile = InstanceProfile(
            partition=asked.partition,
            account_id=asked.caller.account_id,
            name=given.InstanceProfileName,
            path=given.Path or "/",
            unique_id=unique_ids.unique_id(unique_ids.INSTANCE_PROFILE, facts.drawn),
            created_at=asked.now,
            tags=dict(facts.tags),
        )
        beside = one_more(
            asked.caller.account_id, INSTANCE_PROFILES, facts.count, quotas.INSTANCE_PROFILES
        )
        answer = {"InstanceProfile": shown_instance_profile(profile, [])}
        return Outcome(answer, (Put(INSTANCE_PROFILES, profile), beside), answer)


def _shown(asked: Asked, profile: InstanceProfile) -> dict[str, Any]:
    role = asked.view.one(ROLES, (profile.account_id, profile.role)) if profile.role else None
    if role is None:
        return shown_instance_profile(profile, [])
    text = trust_text(asked.view.principals, role)
    return shown_instance_profile(profile, [shown_role(role, text, whole=False)])


class _OnProfile(AboutNamed[InstanceProfile, O, R]):
    kind = PROFILE

    def missing(self, asked: Request) -> Refusal:
        name = asked.call.input.InstanceProfileName
        return NoSuchEntity(f"Instance Profile {name} cannot be found.")


class ShownProfile(On[InstanceProfile]):
    """The profile as it is shown, with its role."""

    shown: Mapping[str, Any] = {}


class GetInstanceProfile(_OnProfile[ShownProfile, None]):
    read_only = True

    def look_up(self, asked: Asked) -> ShownProfile | Withheld:
        return self.found(asked, ShownProfile)

    def read(self, asked: Asked, facts: ShownProfile) -> ShownProfile:
        return replace(facts, shown=_shown(asked, facts.entity))

    def finish(self, asked: Request, facts: ShownProfile, reply: None) -> Outcome:
        return Outcome({"InstanceProfile": facts.shown})


class _OneProfile(_OnProfile[On[InstanceProfile], None]):
    """An operation on one instance profile that looks at nothing else."""

    def look_up(self, asked: Asked) -> On[InstanceProfile] | Withheld:
        return self.found(asked, On)


class DeleteInstanceProfile(_OneProfile):
    def ask(self, asked: Request, allowed: Allowed, facts: On[InstanceProfile]) -> Command | None:
        if facts.entity.role:
            raise DeleteConflict(
                "Cannot delete entity, must remove roles from instance profile first."
            )
        return None

    def finish(self, asked: Request, facts: On[InstanceProfile], reply: None) -> Outcome:
        return Outcome(writes=(Delete(INSTANCE_PROFILES, facts.entity),))


class WithRole(On[InstanceProfile]):
    """The role that is named beside the profile."""

    role: Role | None = None


class _OnProfileAndRole(_OnProfile[WithRole, None]):
    def look_up(self, asked: Asked) -> WithRole | Withheld:
        facts = self.found(asked, WithRole)
        if isinstance(facts, Withheld):
            return facts
        name, account_id = asked.call.input.RoleName, asked.caller.account_id
        return replace(facts, role=identity_named(asked.view, ROLE, account_id, name))

    def ask(self, asked: Request, allowed: Allowed, facts: WithRole) -> Command | None:
        if facts.role is None:
            raise not_found(ROLE, asked.call.input.RoleName)
        return None


class AddRoleToInstanceProfile(_OnProfileAndRole):
    """Needs the permission to pass the role, as on AWS."""

    def look_up(self, asked: Asked) -> WithRole | Withheld:
        facts = super().look_up(asked)
        role = facts.role if isinstance(facts, WithRole) else None
        account_id, name = asked.caller.account_id, asked.call.input.RoleName
        arn = identity_arn(asked.partition, account_id, "role", "/", name)
        values = {"iam:passedtoservice": f"ec2.{partition_of(asked.call.region).dns_suffix}"}
        passing = Need("iam:PassRole", resource=role.arn if role else arn, values=values)
        return replace(facts, needs=(*facts.needs, passing))

    def ask(self, asked: Request, allowed: Allowed, facts: WithRole) -> Command | None:
        super().ask(asked, allowed, facts)
        quotas.ROLES_OF_INSTANCE_PROFILE.check(int(bool(facts.entity.role)))
        return None

    def finish(self, asked: Request, facts: WithRole, reply: None) -> Outcome:
        profile, role = facts.entity, facts.role
        if role is None:
            return Outcome()
        return Outcome(writes=(put(PROFILE, profile, role=role.folded), Expect(ROLES, role)))


class RemoveRoleFromInstanceProfile(_OnProfileAndRole):
    def ask(self, asked: Request, allowed: Allowed, facts: WithRole) -> Command | None:
        super().ask(asked, allowed, facts)
        if facts.role is None or facts.entity.role != facts.role.folded:
            raise not_found(ROLE, asked.call.input.RoleName)
        return None

    def finish(self, asked: Request, facts: WithRole, reply: None) -> Outcome:
        return Outcome(writes=(put(PROFILE, facts.entity, role=""),))


class ListInstanceProfiles(IamOperation[Answered, None]):
    read_only = True

    def look_up(self, asked: Asked) -> Answered:
        prefix = asked.call.input.PathPrefix or "/"
        arn = identity_arn(asked.partition, asked.caller.account_id, PROFILE.noun, prefix, "")
        return Answered((self.need(arn),))

    def read(self, asked: Asked, facts: Answered) -> Answered:
        own, path = (asked.caller.account_id,), asked.call.input.PathPrefix or "/"
        shown, rest = read_page(asked, INSTANCE_PROFILES, own, path, wanted=in_path(asked))
        answer = {"InstanceProfiles": [_shown(asked, one) for one in shown], **rest}
        return Answered(facts.needs, answer=answer)

    def finish(self, asked: Request, facts: Answered, reply: None) -> Outcome:
        return Outcome(facts.answer)


class WithProfiles(On[Role]):
    """The role's instance profiles as they are shown, by folded name."""

    profiles: Sequence[tuple[str, dict[str, Any]]] = ()


class ListInstanceProfilesForRole(AboutNamed[Role, WithProfiles, None]):
    read_only = True
    kind = ROLE

    def look_up(self, asked: Asked) -> WithProfiles | Withheld:
        return self.found(asked, WithProfiles)

    def read(self, asked: Asked, facts: WithProfiles) -> WithProfiles:
        role = (facts.entity.account_id, facts.entity.folded)
        profiles: Sequence[InstanceProfile] = asked.view.group(INSTANCE_PROFILES, "by_role", role)
        return replace(facts, profiles=[(one.folded, _shown(asked, one)) for one in profiles])

    def finish(self, asked: Request, facts: WithProfiles, reply: None) -> Outcome:
        return Outcome(page(asked, "InstanceProfiles", list(facts.profiles), facts.entity.arn))


class TagInstanceProfile(Tag[InstanceProfile], _OneProfile):
    table = INSTANCE_PROFILES


class UntagInstanceProfile(Untag[InstanceProfile], _OneProfile):
    table = INSTANCE_PROFILES


class ListInstanceProfileTags(ListTags[InstanceProfile], _OneProfile):
    pass
