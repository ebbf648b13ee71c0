"""Roles and who may assume them."""

from typing import Any

from kagimori.entities.identity_tables import ATTACHMENTS, INSTANCE_PROFILES, ROLES
from kagimori.gate.asked import Asked
from kagimori.gate.identities import ROLE, UnknownPrincipal, pins_of, renamed_since
from kagimori.operations.iam.answers import shown_role
from kagimori.operations.iam.boundaries import uses_of
from kagimori.operations.iam.iam_operation import Found, OnNamed, put
from kagimori.operations.iam.making import CreateIdentity, Creating, ListIdentities
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete, ExpectAtMost, View
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.documents import TRUST_CHARACTERS_MAX, check_size, read_policy
from kagimori.rules.identity.refusals import DeleteConflict, MalformedPolicyDocument
from kagimori.rules.identity.role import SESSION_SECONDS_DEFAULT, Role
from kagimori.rules.policy.document import Kind, pretty
from kagimori.rules.refusal import Refusal
from kagimori_boundary.commands import Command


def read_trust(view: View, text: str, partition: str) -> dict[str, str] | Refusal:
    """Return the pins of a trust policy, or why it is refused.

    The refusal is told later, to who may write it: it says who exists.
    """
    try:
        document = read_policy(text, Kind.TRUST, partition)
        check_size(text, quota="ACLSizePerRole", most=TRUST_CHARACTERS_MAX)
        return pins_of(view, document)
    except UnknownPrincipal as unknown:
        return MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{unknown}"')
    except Refusal as refusal:
        return refusal


class CreateRole(CreateIdentity):
    kind = ROLE
    quota = quotas.ROLES

    def read(self, asked: Asked, facts: Creating) -> None:
        facts.more = read_trust(
            asked.view, asked.call.input.AssumeRolePolicyDocument, asked.partition
        )

    def ask(self, asked: Asked, facts: Creating) -> Command | None:
        if isinstance(facts.more, Refusal):
            raise facts.more
        return super().ask(asked, facts)

    def made(self, asked: Asked, facts: Creating) -> Role:
        given = asked.call.input
        return Role(
            unique_id=unique_ids.unique_id(unique_ids.ROLE, asked.draw()),
            trust_policy=given.AssumeRolePolicyDocument,
            trust_pins=facts.more,
            description=given.Description or "",
            session_seconds_max=given.MaxSessionDuration or SESSION_SECONDS_DEFAULT,
            **self.common(asked, facts),
        )

    def shown(self, entity: Role) -> dict[str, Any]:
        return shown_role(entity, new=True)


class GetRole(OnNamed):
    read_only = True
    kind = ROLE

    def read(self, asked: Asked, entity: Role) -> str:
        return trust_text(asked.view, entity)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome({"Role": shown_role(facts.entity, facts.more)})


class ListRoles(ListIdentities):
    kind = ROLE

    def shown(self, asked: Asked, entity: Role) -> dict[str, Any]:
        return shown_role(entity, trust_text(asked.view, entity), whole=False)


def trust_text(view: View, role: Role) -> str:
    """Return a trust policy as it reads now: who was deleted since stands there by unique id."""
    renamed = renamed_since(view, role.trust_pins)
    return pretty(role.trust_policy, role.partition, renamed) if renamed else role.trust_policy


class UpdateRole(OnNamed):
    """Description and longest session; what is left out stays."""

    kind = ROLE

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        given, role = asked.call.input, facts.entity
        description = role.description if given.Description is None else given.Description
        seconds = given.MaxSessionDuration or role.session_seconds_max
        changed = put(ROLE, role, description=description, session_seconds_max=seconds)
        return Outcome({}, (changed,))


class UpdateRoleDescription(OnNamed):
    kind = ROLE

    def read(self, asked: Asked, entity: Role) -> str:
        return trust_text(asked.view, entity)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        changed = put(ROLE, facts.entity, description=asked.call.input.Description)
        answer = {"Role": shown_role(changed.entity, facts.more)}
        return Outcome(answer, (changed,), answer)


class UpdateAssumeRolePolicy(OnNamed):
    kind = ROLE

    def read(self, asked: Asked, entity: Role) -> dict[str, str] | Refusal:
        return read_trust(asked.view, asked.call.input.PolicyDocument, asked.partition)

    def check(self, asked: Asked, facts: Found) -> None:
        if isinstance(facts.more, Refusal):
            raise facts.more

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        text = asked.call.input.PolicyDocument
        return Outcome(writes=(put(ROLE, facts.entity, trust_policy=text, trust_pins=facts.more),))


class DeleteRole(OnNamed):
    kind = ROLE

    def read(self, asked: Asked, entity: Role) -> Any:
        scope = (entity.account_id, entity.folded)
        return asked.view.group(INSTANCE_PROFILES, "by_role", scope), uses_of(asked.view, entity)

    def check(self, asked: Asked, facts: Found) -> None:
        for is_there, what in (
            (facts.more[0], "remove roles from instance profile"),
            (facts.entity.attached, "detach all policies"),
            (facts.entity.inline_policies, "delete policies"),
        ):
            if is_there:
                raise DeleteConflict(f"Cannot delete entity, must {what} first.")

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        # Only the boundary's record is left.
        uses = [Delete(ATTACHMENTS, use) for use in facts.more[1]]
        role = facts.entity
        unused = ExpectAtMost(INSTANCE_PROFILES, "by_role", (role.account_id, role.folded))
        return Outcome(writes=(Delete(ROLES, role), *uses, unused))
