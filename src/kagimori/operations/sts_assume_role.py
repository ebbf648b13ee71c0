"""STS: AssumeRole.

Source: reference, 23.2; STS API Reference, AssumeRole.
"""

import re
from typing import Any, Final

from kagimori.operations.identities import role_at
from kagimori.operations.operation import Asked, Need, Operation, Outcome
from kagimori.operations.sts_credentials import (
    Issued,
    check_policies,
    credentials,
    device_of,
    seal,
    shown_credentials,
    writes_of,
)
from kagimori.rules.authorization import RoleRules
from kagimori.rules.identity.caller import session_arn
from kagimori.rules.identity.refusals import ValidationError
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.session import ROLE, SessionClaims
from kagimori.rules.identity.session_request import (
    Narrowing,
    SessionTags,
    packed_percent,
    read_narrowing,
    read_session_tags,
    role_session_seconds,
)
from kagimori.rules.policy.document import Document, Kind
from kagimori.rules.policy.evaluate import compile_policy
from kagimori.rules.refusal import AccessDeniedException
from kagimori_boundary.messages import Command

ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[!-~]*/)?[\w+=,.@-]{1,64}")
_TRUSTS_NOBODY: Final = compile_policy(Document(Kind.TRUST, "2012-10-17", "", ()))


class Assumed(Issued):
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


class AssumeRole(Operation):
    """Whether the role exists is not told to who may not assume it."""

    service = "sts"
    read_only = True  # as CloudTrail has it

    def look_up(self, asked: Asked) -> Assumed:
        given, caller = asked.call.input, asked.caller
        match = ROLE_ARN.fullmatch(given.RoleArn)
        if match is None:
            raise ValidationError(f"{given.RoleArn} is invalid")
        role = role_at(asked.view, given.RoleArn)
        trust = _TRUSTS_NOBODY if role is None else role.compiled_trust
        rules = RoleRules(given.RoleArn, match[1], trust)
        before = caller.session
        tags = read_session_tags(given.Tags, given.TransitiveTagKeys, before)
        inherited = before.source_identity if before is not None else None
        source_identity = given.SourceIdentity or inherited
        values: dict[str, str | list[str]] = {"sts:rolesessionname": given.RoleSessionName}
        if given.ExternalId is not None:
            values["sts:externalid"] = given.ExternalId
        if given.TransitiveTagKeys:
            values["sts:transitivetagkeys"] = list(given.TransitiveTagKeys)
        if source_identity is not None:
            values["sts:sourceidentity"] = source_identity
        device = device_of(asked)
        if device is not None:  # the HSM checks the code before there is a session
            values["aws:multifactorauthpresent"] = "true"
            values["aws:multifactorauthage"] = "0"
        actions = ["sts:AssumeRole"]
        if tags.tags:
            actions.append("sts:TagSession")
        if source_identity is not None:
            actions.append("sts:SetSourceIdentity")
        role_tags = role.tags if role is not None else None
        needs = tuple(
            Need(
                action,
                resource=given.RoleArn,
                assumes=rules,
                resource_tags=role_tags,
                values=values,
            )
            for action in actions
        )
        return Assumed(
            needs,
            device=device,
            role=role,
            tags=tags,
            narrowing=read_narrowing(given.Policy, given.PolicyArns),
            source_identity=source_identity,
        )

    def ask(self, asked: Asked, facts: Assumed) -> Command | None:
        given, role, before = asked.call.input, facts.role, asked.caller.session
        if role is None:  # nobody is allowed to assume it
            raise AccessDeniedException
        if given.SourceIdentity is not None and before is not None and before.source_identity:
            _check_same(given.SourceIdentity, before.source_identity)
        seconds = role_session_seconds(
            given.DurationSeconds, role.session_seconds_max, chained=before is not None
        )
        check_policies(asked, facts.narrowing, role.account_id)
        facts.packed = packed_percent(facts.narrowing, facts.tags)
        session = SessionClaims(
            kind=ROLE,
            account_id=role.account_id,
            name=role.name,
            unique_id=role.unique_id,
            session_name=given.RoleSessionName,
            policies=facts.narrowing.texts,
            policy_arns=facts.narrowing.arns,
            tags=facts.tags.tags,
            transitive=facts.tags.transitive,
            source_identity=facts.source_identity,
            issued_at=0.0,
            expires_at=0.0,
        )
        return seal(asked, facts, session, seconds)

    def finish(self, asked: Asked, facts: Assumed, reply: Any) -> Outcome:
        role, session_name = facts.role, asked.call.input.RoleSessionName
        answer: dict[str, Any] = {"Credentials": credentials(facts, reply)}
        if role is not None:
            answer["AssumedRoleUser"] = {
                "AssumedRoleId": f"{role.unique_id}:{session_name}",
                "Arn": session_arn(role, session_name),
            }
        if facts.packed is not None:
            answer["PackedPolicySize"] = facts.packed
        if facts.source_identity is not None:
            answer["SourceIdentity"] = facts.source_identity
        return Outcome(answer, writes_of(facts, reply), response_elements=shown_credentials(answer))


def _check_same(asked_for: str, inherited: str) -> None:
    if asked_for != inherited:
        raise AccessDeniedException(
            "The source identity of a session cannot be changed by the roles it assumes."
        )
