"""Roles and who may assume them."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from kagimori.entities.identity_tables import ACCESS_KEY_USES, ATTACHMENTS, INSTANCE_PROFILES, ROLES
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import (
    ROLE,
    Principals,
    UnknownPrincipal,
    check_accounts,
    pins_of,
    renamed_since,
)
from kagimori.operations.iam.answers import shown_role
from kagimori.operations.iam.boundaries import uses_of
from kagimori.operations.iam.iam_operation import AboutNamed, On, OnNamed, put
from kagimori.operations.iam.making import CreateIdentity, ListIdentities, NewIdentity
from kagimori.operations.operation import Outcome, Withheld
from kagimori.ports import Delete, ExpectAtMost
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.account import AccessKeyUse
from kagimori.rules.identity.documents import TRUST_CHARACTERS_MAX, check_size, read_policy
from kagimori.rules.identity.instance_profile import InstanceProfile
from kagimori.rules.identity.managed_policy import Attachment
from kagimori.rules.identity.refusals import DeleteConflict, MalformedPolicyDocument
from kagimori.rules.identity.role import SESSION_SECONDS_DEFAULT, Role
from kagimori.rules.policy.document import Kind, pretty
from kagimori_boundary.commands import Command


def read_trust(asked: Asked, text: str) -> dict[str, str]:
    """Return the pins of a trust policy. It shows who exists: only who may write it sees that.

    Raises:
        MalformedPolicyDocument, LimitExceeded: it cannot be one.
    """
    check_size(text, quota="ACLSizePerRole", most=TRUST_CHARACTERS_MAX)
    document = read_policy(text, Kind.TRUST, asked.partition)
    try:
        if not asked.settings.unknown_principals:
            check_accounts(asked.view.principals, document, asked.partition)
        return pins_of(asked.view.principals, document)
    except UnknownPrincipal as unknown:
        message = f'Invalid principal in policy: "AWS":"{unknown}"'
        raise MalformedPolicyDocument(message) from None


class NewRole(NewIdentity):
    """`pins` are the unique ids of the principals that the trust policy names."""

    pins: Mapping[str, str] = {}


class CreateRole(CreateIdentity[Role, NewRole]):
    kind = ROLE
    quota = quotas.ROLES

    def look_up(self, asked: Asked) -> NewRole:
        return self.planned(asked, NewRole)

    def read(self, asked: Asked, facts: NewRole) -> NewRole:
        pins = read_trust(asked, asked.call.input.AssumeRolePolicyDocument)
        return replace(super().read(asked, facts), pins=pins)

    def made(self, asked: Request, facts: NewRole) -> Role:
        given = asked.call.input
        return Role(
            unique_id=unique_ids.unique_id(unique_ids.ROLE, facts.drawn),
            trust_policy=given.AssumeRolePolicyDocument,
            trust_pins=dict(facts.pins),
            description=given.Description or "",
            session_seconds_max=given.MaxSessionDuration or SESSION_SECONDS_DEFAULT,
            **self.common(asked, facts),
        )

    def shown(self, entity: Role) -> dict[str, Any]:
        return shown_role(entity, new=True)


class Trusting(On[Role]):
    """The role's trust policy as it reads now."""

    trust: str = ""


class _OnTrusting(AboutNamed[Role, Trusting, None]):
    kind = ROLE

    def look_up(self, asked: Asked) -> Trusting | Withheld:
        return self.found(asked, Trusting)

    def read(self, asked: Asked, facts: Trusting) -> Trusting:
        return replace(facts, trust=trust_text(asked.view.principals, facts.entity))


class Used(Trusting):
    """The newest use of the role's sessions, if there was one."""

    use: AccessKeyUse | None = None


class GetRole(AboutNamed[Role, Used, None]):
    read_only = True
    kind = ROLE

    def look_up(self, asked: Asked) -> Used | Withheld:
        return self.found(asked, Used)

    def read(self, asked: Asked, facts: Used) -> Used:
        role = facts.entity
        # A page: never from memory, since no change says that a use was noted.
        uses: Sequence[AccessKeyUse] = asked.view.page(ACCESS_KEY_USES, (role.unique_id,), None, 1)
        trust = trust_text(asked.view.principals, role)
        return replace(facts, trust=trust, use=uses[0] if uses else None)

    def finish(self, asked: Request, facts: Used, reply: None) -> Outcome:
        shown = shown_role(facts.entity, facts.trust)
        if facts.use is not None:
            shown["RoleLastUsed"] = {"LastUsedDate": facts.use.at, "Region": facts.use.region}
        return Outcome({"Role": shown})


class ListRoles(ListIdentities[Role]):
    kind = ROLE

    def shown(self, asked: Asked, entity: Role) -> dict[str, Any]:
        return shown_role(entity, trust_text(asked.view.principals, entity), whole=False)


def trust_text(view: Principals, role: Role) -> str:
    """Return a trust policy as it reads now: who was deleted since stands there by unique id."""
    renamed = renamed_since(view, role.trust_pins)
    return pretty(role.trust_policy, role.partition, renamed) if renamed else role.trust_policy


class UpdateRole(OnNamed[Role, None]):
    """Description and longest session; what is left out stays."""

    kind = ROLE

    def finish(self, asked: Request, facts: On[Role], reply: None) -> Outcome:
        given, role = asked.call.input, facts.entity
        description = role.description if given.Description is None else given.Description
        seconds = given.MaxSessionDuration or role.session_seconds_max
        changed = put(ROLE, role, description=description, session_seconds_max=seconds)
        return Outcome({}, (changed,))


class UpdateRoleDescription(_OnTrusting):
    def finish(self, asked: Request, facts: Trusting, reply: None) -> Outcome:
        changed = put(ROLE, facts.entity, description=asked.call.input.Description)
        answer = {"Role": shown_role(changed.entity, facts.trust)}
        return Outcome(answer, (changed,), answer)


class NewTrust(On[Role]):
    """`pins` are the unique ids of the principals that the trust policy to be names."""

    pins: Mapping[str, str] = {}


class UpdateAssumeRolePolicy(AboutNamed[Role, NewTrust, None]):
    kind = ROLE

    def look_up(self, asked: Asked) -> NewTrust | Withheld:
        return self.found(asked, NewTrust)

    def read(self, asked: Asked, facts: NewTrust) -> NewTrust:
        return replace(facts, pins=read_trust(asked, asked.call.input.PolicyDocument))

    def finish(self, asked: Request, facts: NewTrust, reply: None) -> Outcome:
        text, pins = asked.call.input.PolicyDocument, dict(facts.pins)
        return Outcome(writes=(put(ROLE, facts.entity, trust_policy=text, trust_pins=pins),))


class InUse(On[Role]):
    """The instance profiles and managed policies of a role."""

    profiles: Sequence[InstanceProfile] = ()
    uses: Sequence[Attachment] = ()


class DeleteRole(AboutNamed[Role, InUse, None]):
    kind = ROLE

    def look_up(self, asked: Asked) -> InUse | Withheld:
        return self.found(asked, InUse)

    def read(self, asked: Asked, facts: InUse) -> InUse:
        role = facts.entity
        return replace(
            facts,
            profiles=asked.view.group(INSTANCE_PROFILES, "by_role", (role.account_id, role.folded)),
            uses=uses_of(asked.view, role),
        )

    def ask(self, asked: Request, allowed: Allowed, facts: InUse) -> Command | None:
        for is_there, what in (
            (facts.profiles, "remove roles from instance profile"),
            (facts.entity.attached, "detach all policies"),
            (facts.entity.inline_policies, "delete policies"),
        ):
            if is_there:
                raise DeleteConflict(f"Cannot delete entity, must {what} first.")
        return None

    def finish(self, asked: Request, facts: InUse, reply: None) -> Outcome:
        # Only the boundary's record is left.
        uses = [Delete(ATTACHMENTS, use) for use in facts.uses]
        role = facts.entity
        unused = ExpectAtMost(INSTANCE_PROFILES, "by_role", (role.account_id, role.folded))
        return Outcome(writes=(Delete(ROLES, role), *uses, unused))
