"""Temporary credentials: made in the HSM, sealed into the token that their owner carries."""

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from kagimori.gate.across import session_policy
from kagimori.gate.asked import Asked, Request
from kagimori.gate.mfa_codes import code_taken, mfa_device, one_code
from kagimori.operations.operation import Facts, Operation
from kagimori.ports import Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.folding import fold
from kagimori.rules.identity.mfa_device import ROOT_USER, MfaDevice
from kagimori.rules.identity.refusals import ValidationError
from kagimori.rules.identity.session import SessionClaims, encode_claims, token_text
from kagimori.rules.identity.session_request import Narrowing
from kagimori.rules.identity.unique_ids import TEMPORARY_ACCESS_KEY, access_key_id
from kagimori.rules.policy.principal import PrincipalKind
from kagimori.rules.refusal import AccessDeniedException, KMSInternalException
from kagimori_boundary.commands import Command, CreateSession
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import NewSession

NO_MFA: Final = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial "
    "number is valid and associated with this user."
)


class Issue(Facts):
    """The credentials that are to be made; `device` is the caller's, if it gives a code."""

    access_key_id: str = ""
    session: SessionClaims | None = None
    device: MfaDevice | None = None


T = TypeVar("T", bound=Issue)


def device_of(asked: Asked) -> MfaDevice | None:
    """Return the MFA device that the request names with a code; None if it names none.

    Raises:
        AccessDeniedException: not the caller's, or without a code.
    """
    given, caller = asked.call.input, asked.caller
    if given.SerialNumber is None and given.TokenCode is None:
        return None
    holder = "" if caller.user_name is None else fold(caller.user_name)
    if caller.principal.kind is PrincipalKind.ROOT:
        holder = ROOT_USER
    if given.SerialNumber is None or given.TokenCode is None or not holder:
        raise AccessDeniedException(NO_MFA)
    device = mfa_device(asked.view, caller.account_id, given.SerialNumber)
    if device is None or device.holder != holder:
        raise AccessDeniedException(NO_MFA)
    return device


def issued(asked: Asked, facts: T, session: SessionClaims, seconds: int) -> T:
    """Return the facts with the credentials to be made, which begin at this whole second."""
    issued_at = math.floor(asked.now)
    return replace(
        facts,
        session=replace(session, issued_at=issued_at, expires_at=issued_at + seconds),
        access_key_id=access_key_id(TEMPORARY_ACCESS_KEY, asked.draw()),
    )


class IssueCredentials(Operation[T, NewSession]):
    """An operation that makes temporary credentials of what `read` returned (see `issued`)."""

    service = "sts"
    read_only = True  # as CloudTrail has it

    def ask(self, asked: Request, allowed: Allowed, facts: T) -> Command | None:
        device, session = facts.device, facts.session
        if session is None:
            raise KMSInternalException
        code = None if device is None else one_code(device, asked.call.input.TokenCode, asked.now)
        return CreateSession(
            facts.access_key_id,
            session.kind,
            session.account_id,
            session.unique_id or ROOT_HOLDER,
            int(session.issued_at),
            int(session.expires_at),
            encode_claims(session),
            asked.caller.proof,
            code,
        )


def credentials(facts: Issue, reply: NewSession) -> dict[str, Any]:
    """Return the `Credentials` of an answer."""
    return {
        "AccessKeyId": facts.access_key_id,
        "SecretAccessKey": reply.secret_access_key,
        "SessionToken": token_text(reply.session_token),
        "Expiration": facts.session.expires_at if facts.session is not None else 0.0,
    }


def writes_of(facts: Issue, reply: NewSession) -> tuple[Write, ...]:
    """Return the writes that keep a right code from being taken again."""
    if facts.device is None or reply.taken is None:
        return ()
    return (code_taken(facts.device, reply.taken),)


def shown_credentials(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as the audit record has it: without the secret, and without the token."""
    kept = ("AccessKeyId", "Expiration")
    shown = {name: answer["Credentials"][name] for name in kept}
    return {**answer, "Credentials": shown}


def check_policies(asked: Asked, narrowing: Narrowing, account_id: str) -> None:
    """Check that each managed session policy exists, in the account or as AWS's.

    Raises:
        ValidationError: one does not.
    """
    for arn in narrowing.arns:
        if session_policy(asked, account_id, arn) is None:
            raise ValidationError(f"Policy {arn} does not exist or is not attachable.")
