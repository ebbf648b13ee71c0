"""The common parts of ways to a role session. Source: STS API Reference, AssumeRole."""

import re
from typing import Any, Final

from kagimori.operations.sts.credentials import Issue
from kagimori.rules.authorization.authorize import RoleRules
from kagimori.rules.identity.caller import session_arn
from kagimori.rules.identity.refusals import ValidationError
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.session import ROLE, SessionClaims
from kagimori.rules.identity.session_request import Narrowing, SessionTags
from kagimori.rules.policy.document import Document, Kind
from kagimori.rules.policy.evaluate import compile_policy

_ROLE_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[!-~]*/)?[\w+=,.@-]{1,64}", re.ASCII
)
_TRUSTS_NOBODY: Final = compile_policy(Document(Kind.TRUST, "2012-10-17", "", ()))


class Assumed(Issue):
    """The role, if there is one, and what the request would make of its session."""

    role: Role | None = None
    tags: SessionTags = SessionTags()
    narrowing: Narrowing = Narrowing()
    source_identity: str | None = None
    packed: int | None = None

    @property
    def resources(self) -> tuple[tuple[str, str], ...]:
        role = self.role
        return () if role is None else ((role.account_id, role.arn),)


def account_of(role_arn: str) -> str:
    """Return the account of a role.

    Raises:
        ValidationError: not an ARN of a role.
    """
    match = _ROLE_ARN.fullmatch(role_arn)
    if match is None:
        raise ValidationError(f"{role_arn} is invalid")
    return match[1]


def role_rules(role_arn: str, role: Role | None) -> RoleRules:
    """Return whom a role trusts; one that does not exist trusts nobody, and looks the same."""
    trust = _TRUSTS_NOBODY if role is None else role.compiled_trust
    return RoleRules(role_arn, account_of(role_arn), trust)


def actions_for(action: str, tags: SessionTags, source_identity: str | None) -> list[str]:
    """Return the actions that must be allowed: the one asked for, and those that come with it."""
    actions = [action]
    if tags.tags:
        actions.append("sts:TagSession")
    if source_identity is not None:
        actions.append("sts:SetSourceIdentity")
    return actions


def role_claims(
    facts: Assumed,
    role: Role,
    session_name: str,
    *,
    provider: str | None = None,
    subject: str | None = None,
) -> SessionClaims:
    """Return the claims of the session token; its times come when it is sealed."""
    return SessionClaims(
        partition=role.partition,
        kind=ROLE,
        account_id=role.account_id,
        name=role.name,
        unique_id=role.unique_id,
        session_name=session_name,
        policies=facts.narrowing.texts,
        policy_arns=facts.narrowing.arns,
        tags=facts.tags.tags,
        transitive=facts.tags.transitive,
        source_identity=facts.source_identity,
        provider=provider,
        subject=subject,
        generation=role.session_generation,
        issued_at=0.0,
        expires_at=0.0,
    )


def session_answer(facts: Assumed, session_name: str) -> dict[str, Any]:
    """Return the members that all answers have beside the credentials."""
    answer: dict[str, Any] = {}
    role = facts.role
    if role is not None:
        answer["AssumedRoleUser"] = {
            "AssumedRoleId": f"{role.unique_id}:{session_name}",
            "Arn": session_arn(role, session_name),
        }
    if facts.packed is not None:
        answer["PackedPolicySize"] = facts.packed
    if facts.source_identity is not None:
        answer["SourceIdentity"] = facts.source_identity
    return answer
