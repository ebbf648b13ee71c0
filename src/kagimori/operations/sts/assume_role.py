"""STS: AssumeRole.

Source: STS API Reference, AssumeRole.
"""

from msgspec.structs import replace

from kagimori.gate.across import role_across
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.operation import Outcome
from kagimori.operations.sts.credentials import (
    IssueCredentials,
    check_policies,
    credentials,
    device_of,
    issued,
    shown_credentials,
    writes_of,
)
from kagimori.operations.sts.role_sessions import (
    Assumed,
    actions_for,
    role_claims,
    role_rules,
    session_answer,
)
from kagimori.rules.identity.session_request import (
    check_inline,
    narrowing_of,
    packed_percent,
    read_session_tags,
    role_session_seconds,
)
from kagimori.rules.refusal import AccessDeniedException
from kagimori_boundary.replies import NewSession


class AssumeRole(IssueCredentials[Assumed]):
    """Issues a session of a role; a denial does not show whether the role exists."""

    def look_up(self, asked: Asked) -> Assumed:
        given, caller = asked.call.input, asked.caller
        role = role_across(asked, given.RoleArn)
        rules = role_rules(given.RoleArn, role)
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
        role_tags = role.tags if role is not None else None
        needs = tuple(
            Need(
                action,
                resource=given.RoleArn,
                assumes=rules,
                resource_tags=role_tags,
                values=values,
            )
            for action in actions_for("sts:AssumeRole", tags, source_identity)
        )
        return Assumed(
            needs,
            device=device,
            role=role,
            tags=tags,
            narrowing=narrowing_of(given.Policy, given.PolicyArns),
            source_identity=source_identity,
        )

    def read(self, asked: Asked, facts: Assumed) -> Assumed:
        given, role, before = asked.call.input, facts.role, asked.caller.session
        if role is None:  # nobody is allowed to assume it
            raise AccessDeniedException
        check_inline(facts.narrowing, asked.partition)
        if given.SourceIdentity is not None and before is not None and before.source_identity:
            _check_same(given.SourceIdentity, before.source_identity)
        seconds = role_session_seconds(
            given.DurationSeconds, role.session_seconds_max, chained=before is not None
        )
        check_policies(asked, facts.narrowing, role.account_id)
        facts = replace(facts, packed=packed_percent(facts.narrowing, facts.tags))
        session = role_claims(facts, role, given.RoleSessionName)
        return issued(asked, facts, session, seconds)

    def finish(self, asked: Request, facts: Assumed, reply: NewSession) -> Outcome:
        answer = {
            "Credentials": credentials(facts, reply),
            **session_answer(facts, asked.call.input.RoleSessionName),
        }
        return Outcome(answer, writes_of(facts, reply), response_elements=shown_credentials(answer))


def _check_same(asked_for: str, inherited: str) -> None:
    if asked_for != inherited:
        raise AccessDeniedException(
            "The source identity of a session cannot be changed by the roles it assumes."
        )
