"""STS: GetSessionToken and GetFederationToken, for long-term credentials alone.

Source: STS API Reference, GetSessionToken.
"""

from typing import Any

from msgspec.structs import replace

from kagimori.entities.identity_tables import ACCOUNTS, USERS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.operation import Outcome
from kagimori.operations.sts.credentials import (
    Issue,
    IssueCredentials,
    check_policies,
    credentials,
    device_of,
    issued,
    shown_credentials,
    writes_of,
)
from kagimori.rules.folding import fold
from kagimori.rules.identity.account import Account
from kagimori.rules.identity.caller import Caller, federated_arn
from kagimori.rules.identity.session import FEDERATED, ROOT, USER, SessionClaims
from kagimori.rules.identity.session_request import (
    Narrowing,
    SessionTags,
    check_inline,
    narrowing_of,
    packed_percent,
    read_session_tags,
    user_session_seconds,
)
from kagimori.rules.identity.user import User
from kagimori.rules.policy.principal import PrincipalKind
from kagimori_boundary.replies import NewSession


class GetSessionToken(IssueCredentials[Issue]):
    """Needs no permission; policies cannot control it."""

    def look_up(self, asked: Asked) -> Issue:
        return Issue(device=device_of(asked))

    def read(self, asked: Asked, facts: Issue) -> Issue:
        given, caller = asked.call.input, asked.caller
        is_root = _is_root(caller)
        session = SessionClaims(
            kind=ROOT if is_root else USER,
            partition=asked.partition,
            account_id=caller.account_id,
            name=caller.user_name or "",
            unique_id="" if is_root else caller.user_id,
            generation=_generation(asked),
            mfa_at=None if facts.device is None else asked.now,
            issued_at=0.0,
            expires_at=0.0,
        )
        seconds = user_session_seconds(given.DurationSeconds, is_root=is_root)
        return issued(asked, facts, session, seconds)

    def finish(self, asked: Request, facts: Issue, reply: NewSession) -> Outcome:
        answer = {"Credentials": credentials(facts, reply)}
        return Outcome(answer, writes_of(facts, reply), response_elements=shown_credentials(answer))


class Federated(Issue):
    narrowing: Narrowing = Narrowing()
    tags: SessionTags = SessionTags()
    packed: int | None = None


class GetFederationToken(IssueCredentials[Federated]):
    """Issues a federated user's session: the user's permissions within the session policies."""

    def look_up(self, asked: Asked) -> Federated:
        given, account_id = asked.call.input, asked.caller.account_id
        arn = federated_arn(asked.partition, account_id, given.Name)
        tags = read_session_tags(given.Tags, None, None)
        needs = [Need("sts:GetFederationToken", resource=arn)]
        if tags.tags:
            needs.append(Need("sts:TagSession", resource=arn))
        return Federated(
            tuple(needs),
            tags=tags,
            narrowing=narrowing_of(given.Policy, given.PolicyArns),
        )

    def read(self, asked: Asked, facts: Federated) -> Federated:
        given, caller = asked.call.input, asked.caller
        check_inline(facts.narrowing, asked.partition)
        is_root = _is_root(caller)
        check_policies(asked, facts.narrowing, caller.account_id)
        facts = replace(facts, packed=packed_percent(facts.narrowing, facts.tags))
        session = SessionClaims(
            kind=FEDERATED,
            partition=asked.partition,
            account_id=caller.account_id,
            name=caller.user_name or "",
            unique_id="" if is_root else caller.user_id,
            generation=_generation(asked),
            session_name=given.Name,
            policies=facts.narrowing.texts,
            policy_arns=facts.narrowing.arns,
            tags=facts.tags.tags,
            issued_at=0.0,
            expires_at=0.0,
        )
        seconds = user_session_seconds(given.DurationSeconds, is_root=is_root)
        return issued(asked, facts, session, seconds)

    def finish(self, asked: Request, facts: Federated, reply: NewSession) -> Outcome:
        account_id, name = asked.caller.account_id, asked.call.input.Name
        answer: dict[str, Any] = {
            "Credentials": credentials(facts, reply),
            "FederatedUser": {
                "FederatedUserId": f"{account_id}:{name}",
                "Arn": federated_arn(asked.partition, account_id, name),
            },
        }
        # Also where there is nothing to pack, unlike the answers of AssumeRole.
        answer["PackedPolicySize"] = facts.packed or 0
        return Outcome(answer, response_elements=shown_credentials(answer))


def _generation(asked: Asked) -> int:
    """Return the generation of the caller's sessions that begin now."""
    caller = asked.caller
    bearer: Account | User | None
    if caller.user_name is None:
        bearer = asked.view.one(ACCOUNTS, (caller.account_id,))
    else:
        bearer = asked.view.one(USERS, (caller.account_id, fold(caller.user_name)))
    return 0 if bearer is None else bearer.session_generation


def _is_root(caller: Caller) -> bool:
    return caller.principal.kind is PrincipalKind.ROOT
