"""STS: AssumeRoleWithWebIdentity, for callers who have no AWS credentials but somebody's word.

Source: STS API Reference, AssumeRoleWithWebIdentity and AssumeRole.
"""

from typing import Any

from msgspec.structs import replace

from kagimori.gate.across import provider_across, role_across
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.operation import Outcome
from kagimori.operations.sts.credentials import (
    IssueCredentials,
    check_policies,
    credentials,
    issued,
    shown_credentials,
)
from kagimori.operations.sts.role_sessions import (
    Assumed,
    account_of,
    actions_for,
    role_claims,
    role_rules,
    session_answer,
)
from kagimori.ports import KeySets
from kagimori.rules.folding import fold
from kagimori.rules.identity.caller import web_identity_caller
from kagimori.rules.identity.oidc_provider import oidc_arn
from kagimori.rules.identity.refusals import InvalidIdentityToken
from kagimori.rules.identity.session_request import (
    check_inline,
    narrowing_of,
    packed_percent,
    role_session_seconds,
)
from kagimori.rules.identity.web_identity import (
    WebIdentity,
    condition_values,
    session_tags,
    source_identity,
)
from kagimori.rules.identity.web_token import issuer_and_key, no_key, verified
from kagimori.rules.refusal import AccessDeniedException
from kagimori_boundary.replies import NewSession


class Vouched(Assumed, kw_only=True):
    """`identity` is what the token says, `provider` the ARN of who vouches for it."""

    identity: WebIdentity
    provider: str


class AssumeRoleWithWebIdentity(IssueCredentials[Vouched]):
    def __init__(self, key_sets: KeySets | None = None) -> None:
        self._key_sets = key_sets

    def look_up(self, asked: Asked) -> Vouched:
        given = asked.call.input
        account_id = account_of(given.RoleArn)
        identity = self._verified(asked, account_id)
        provider = oidc_arn(asked.partition, account_id, identity.issuer)
        tags = session_tags(identity)
        source = source_identity(identity)
        values = condition_values(identity, provider)
        values["sts:rolesessionname"] = given.RoleSessionName
        if tags.tags:
            values["aws:tagkeys"] = list(tags.tags)
            values |= {f"aws:requesttag/{fold(key)}": tag for key, tag in tags.tags.items()}
        if source is not None:
            values["sts:sourceidentity"] = source
        role = role_across(asked, given.RoleArn)
        needs = tuple(
            Need(
                action,
                resource=given.RoleArn,
                assumes=role_rules(given.RoleArn, role),
                values=values,
            )
            for action in actions_for("sts:AssumeRoleWithWebIdentity", tags, source)
        )
        return Vouched(
            needs,
            identified=web_identity_caller(identity, provider),
            role=role,
            tags=tags,
            narrowing=narrowing_of(given.Policy, given.PolicyArns),
            source_identity=source,
            identity=identity,
            provider=provider,
        )

    def read(self, asked: Asked, facts: Vouched) -> Vouched:
        given, role = asked.call.input, facts.role
        if role is None:  # nobody is allowed to assume it
            raise AccessDeniedException
        check_inline(facts.narrowing, asked.partition)
        seconds = role_session_seconds(
            given.DurationSeconds, role.session_seconds_max, chained=False
        )
        check_policies(asked, facts.narrowing, role.account_id)
        facts = replace(facts, packed=packed_percent(facts.narrowing, facts.tags))
        session = role_claims(
            facts,
            role,
            given.RoleSessionName,
            provider=facts.provider,
            subject=facts.identity.subject,
        )
        return issued(asked, facts, session, seconds)

    def finish(self, asked: Request, facts: Vouched, reply: NewSession) -> Outcome:
        identity = facts.identity
        answer: dict[str, Any] = {
            "Credentials": credentials(facts, reply),
            **session_answer(facts, asked.call.input.RoleSessionName),
            "SubjectFromWebIdentityToken": identity.subject,
            "Provider": facts.provider,
            "Audience": identity.audience,
        }
        return Outcome(answer, response_elements=shown_credentials(answer))

    def _verified(self, asked: Asked, account_id: str) -> WebIdentity:
        token = asked.call.input.WebIdentityToken
        issuer, key_id = issuer_and_key(token)
        provider = provider_across(asked, account_id, oidc_arn(asked.partition, account_id, issuer))
        if provider is None:
            raise InvalidIdentityToken(
                f"No OpenIDConnect provider found in your account for https://{issuer}"
            )
        keys = self._key_sets.keys_of(issuer, key_id) if self._key_sets is not None else ()
        if not keys:
            raise no_key()
        return verified(token, keys, provider.client_ids, asked.now)
