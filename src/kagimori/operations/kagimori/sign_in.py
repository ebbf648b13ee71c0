"""Sign-in with a password and the code of an MFA device, or with a sign-in token.

The HSM checks the password and makes the session in one command. It is asked the same whoever is
named, so that neither answers nor times show who exists.

Source: IAM User Guide, "How IAM users sign in to AWS" and id_credentials_passwords_account-policy.
"""

import base64
import binascii
import math
from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from kagimori.entities.identity_tables import LOGIN_PROFILES, SIGN_IN_TOKENS
from kagimori.gate.asked import Asked, Request
from kagimori.gate.mfa_codes import code_taken, one_code
from kagimori.gate.signing_in import Holder, holder_of_token, named_holder
from kagimori.operations.hsm_failures import refusal_for
from kagimori.operations.kagimori.refusals import (
    MfaRequiredException,
    PasswordChangeRequiredException,
    SignInFailedException,
)
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Delete, Put, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.folding import fold
from kagimori.rules.identity.login_profile import check_password, is_too_old
from kagimori.rules.identity.mfa_device import ROOT_USER
from kagimori.rules.identity.refusals import PasswordPolicyViolation
from kagimori.rules.identity.session import ROOT, USER, SessionClaims, encode_claims, token_text
from kagimori.rules.identity.sign_in_token import SignInToken
from kagimori.rules.identity.unique_ids import TEMPORARY_ACCESS_KEY, access_key_id
from kagimori.rules.names import root_arn
from kagimori.rules.records.claimed import Claimed
from kagimori.rules.records.strangers import network_of
from kagimori.rules.refusal import Refusal, ValidationException
from kagimori_boundary.commands import Command
from kagimori_boundary.commands import SignIn as SignInCommand
from kagimori_boundary.replies import Failure, SignedIn

SECONDS_DEFAULT: Final = 43_200
FAILED: Final = "Your authentication information is incorrect. Please try again."
EXPIRED: Final = "The password has expired. An administrator must set another one."
MFA_REQUIRED: Final = "A code of an MFA device is required."
CHANGE_REQUIRED: Final = "The password must be changed: sign in with a new one beside it."
NOT_DUE: Final = "The password is not due to be changed: ChangePassword changes it."
_CHANGED: Final = {"PasswordChanged": "Yes"}


class SigningIn(Facts, kw_only=True):
    """The holder who is to sign in, if there is such, and the session that this is to give.

    `instead` refuses a holder who was right in all: the password must be changed, or cannot be.
    """

    named: tuple[str, str]
    holder: Holder | None
    token: SignInToken | None
    access_key_id: str
    session: SessionClaims | None = None
    new_password: str | None = None
    instead: Refusal | None = None

    @property
    def is_change_due(self) -> bool:
        return self.new_password is not None or self.instead is not None


class SignIn(Operation[SigningIn, SignedIn]):
    service = "kagimori"

    def look_up(self, asked: Asked) -> SigningIn:
        given = asked.call.input
        _check_members(given)
        drawn = access_key_id(TEMPORARY_ACCESS_KEY, asked.draw())
        token: SignInToken | None = None
        if given.SignInToken is not None:
            token, holder = holder_of_token(asked, given.SignInToken)
            named, account_id = ("", ""), None if token is None else token.account_id
        else:
            found = named_holder(asked, given.AccountId, given.UserName)
            holder, account_id = found.holder, found.account_id
            who = ROOT_USER if given.UserName is None else fold(given.UserName)
            named = (account_id or given.AccountId, who)
        return SigningIn(
            claimed=_claimed(asked, account_id or "", holder, drawn),
            named=named,
            holder=holder,
            token=token,
            access_key_id=drawn,
        )

    def read(self, asked: Asked, facts: SigningIn) -> SigningIn:
        given, holder = asked.call.input, facts.holder
        if holder is None:
            return facts
        issued_at = math.floor(asked.now)
        session = SessionClaims(
            kind=ROOT if holder.user is None else USER,
            partition=asked.partition if holder.user is None else holder.user.partition,
            account_id=holder.account.account_id,
            name="" if holder.user is None else holder.user.name,
            unique_id="" if holder.user is None else holder.user.unique_id,
            mfa_at=asked.now if _has_code(given, holder) else None,
            generation=holder.generation,
            is_sign_in=True,
            issued_at=issued_at,
            expires_at=issued_at + (given.DurationSeconds or SECONDS_DEFAULT),
        )
        if given.SignInToken is not None:
            return replace(facts, session=session)
        new_password, instead = _change(given, holder, asked.now)
        return replace(facts, session=session, new_password=new_password, instead=instead)

    def ask(self, asked: Request, allowed: Allowed, facts: SigningIn) -> Command | None:
        given, holder, session = asked.call.input, facts.holder, facts.session
        issued_at = math.floor(asked.now)
        command = SignInCommand(
            facts.access_key_id,
            "",
            "",
            issued_at,
            issued_at + (given.DurationSeconds or SECONDS_DEFAULT),
            b"",
            facts.named,
            network_of(asked.raw.source_ip),
            password=given.Password or "",
            token=(given.SignInToken or "").encode("utf-8", "surrogatepass"),
        )
        if holder is None or session is None:
            return command
        profile, policy = holder.profile, holder.policy
        codes: Sequence[Any] = holder.devices if _has_code(given, holder) else ()
        return replace(
            command,
            account_id=session.account_id,
            principal_id=holder.principal_id,
            claims=encode_claims(session),
            sealed_password=b"" if profile is None else profile.sealed_password,
            codes=tuple(one_code(device, given.MfaCode, asked.now) for device in codes),
            wants_code=bool(holder.devices),
            is_change_due=facts.is_change_due,
            new_password=facts.new_password,
            remembered=max(1, 0 if policy is None else policy.remembered),
            known_device=_device_bytes(given.DeviceToken),
        )

    def refusal(self, asked: Request, facts: SigningIn, failure: Failure) -> Refusal:
        if failure is Failure.SIGN_IN_FAILED:
            return SignInFailedException(FAILED)
        if failure is Failure.MFA_REQUIRED:
            return MfaRequiredException(MFA_REQUIRED)
        if failure is Failure.PASSWORD_CHANGE_REQUIRED and facts.instead is not None:
            return facts.instead
        return refusal_for(failure, asked.call.service)

    def finish(self, asked: Request, facts: SigningIn, reply: SignedIn) -> Outcome:
        holder, session, claimed = facts.holder, facts.session, facts.claimed
        if holder is None or session is None or claimed is None:  # the HSM makes no such session
            raise SignInFailedException(FAILED)
        answer = {
            "Credentials": {
                "AccessKeyId": facts.access_key_id,
                "SecretAccessKey": reply.secret_access_key,
                "SessionToken": token_text(reply.session_token),
                "Expiration": session.expires_at,
            },
            "Arn": claimed.arn,
            "UserId": session.unique_id or session.account_id,
            "AccountId": session.account_id,
            "MfaAuthenticated": session.mfa_at is not None,
            "DeviceToken": base64.b64encode(reply.known_device).decode(),
        }
        changed_too = _CHANGED if reply.sealed_password else None
        return Outcome(answer, _writes(asked, facts, holder, reply), additional=changed_too)


def _check_members(given: Any) -> None:
    """Check that a request names a user and a password, or a token alone.

    Raises:
        ValidationException: it does not.
    """
    if given.SignInToken is not None:
        for member in ("AccountId", "UserName", "Password", "NewPassword"):
            if getattr(given, member) is not None:
                raise ValidationException(f"{member} does not go with SignInToken.")
    elif given.AccountId is None or given.Password is None:
        raise ValidationException("AccountId and Password, or SignInToken, must be given.")


def _claimed(asked: Asked, account_id: str, holder: Holder | None, drawn: str) -> Claimed:
    given = asked.call.input
    has_code = given.MfaCode is not None
    if holder is None:
        return Claimed(account_id, user_name=given.UserName, has_code=has_code)
    user = holder.user
    has_code = _has_code(given, holder)
    if user is not None:
        return Claimed(account_id, user.unique_id, user.arn, user.name, drawn, has_code)
    arn = root_arn(account_id, asked.partition)
    return Claimed(account_id, account_id, arn, None, drawn, has_code)


def _has_code(given: Any, holder: Holder) -> bool:
    """Return whether a code is given to somebody who has a device that it could be of."""
    return given.MfaCode is not None and bool(holder.devices)


def _change(given: Any, holder: Holder, now: float) -> tuple[str | None, Refusal | None]:
    """Return the password to change to, or the refusal of who has signed in, or neither."""
    profile, policy, new = holder.profile, holder.policy, given.NewPassword
    if profile is None:
        return None, None
    too_old = is_too_old(profile, policy, now)
    if too_old and policy is not None and policy.hard_expiry:
        return None, SignInFailedException(EXPIRED)
    if not too_old and not profile.reset_required:
        return None, None if new is None else ValidationException(NOT_DUE)
    if new is None:
        return None, PasswordChangeRequiredException(CHANGE_REQUIRED)
    try:
        check_password(new, policy, ROOT_USER if holder.user is None else holder.user.name)
    except PasswordPolicyViolation as violation:
        return None, violation
    return new, None


def _device_bytes(text: str | None) -> bytes:
    """Return the bytes that a device has kept; nothing if it shows none of ours."""
    try:
        return base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _writes(asked: Request, facts: SigningIn, holder: Holder, reply: SignedIn) -> tuple[Write, ...]:
    """Return the writes by which a code and a token are spent, and the use of a password shows."""
    writes: list[Write] = []
    if reply.taken is not None:
        writes.append(code_taken(holder.devices[reply.device], reply.taken))
    if facts.token is not None:
        writes.append(Delete(SIGN_IN_TOKENS, facts.token))
    elif holder.profile is not None:
        fields: dict[str, Any] = {"last_used_at": asked.now}
        if reply.sealed_password:
            fields |= {
                "sealed_password": reply.sealed_password,
                "changed_at": asked.now,
                "reset_required": False,
            }
        writes.append(Put(LOGIN_PROFILES, changed(holder.profile, **fields), holder.profile))
    return tuple(writes)
