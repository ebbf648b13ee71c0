"""The means to sign in that one has beside a user's password: the root user's, and tokens."""

import math
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from kagimori.entities.identity_tables import (
    ACCOUNTS,
    LOGIN_PROFILES,
    MFA_DEVICES,
    SIGN_IN_TOKENS,
)
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.identity.account import Account
from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.login_profile import LoginProfile, check_password
from kagimori.rules.identity.mfa_device import ROOT_USER, MfaDevice
from kagimori.rules.identity.sign_in_token import TOKEN_SECONDS, SignInToken, hash_of_token
from kagimori.rules.policy.principal import PrincipalKind
from kagimori.rules.refusal import AccessDeniedException
from kagimori_boundary.commands import (
    Command,
    HashPassword,
)
from kagimori_boundary.commands import (
    CreateSignInToken as CreateTokenCommand,
)
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import Bytes


class RootPassword(Facts, kw_only=True):
    """The account, and the root user's password as it is, if there is one."""

    account: Account
    profile: LoginProfile | None = None


class SetRootPassword(Operation[RootPassword, Bytes]):
    """For the root user, with MFA if it has a device."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> RootPassword:
        caller = asked.caller
        if not _is_root(caller):
            raise AccessDeniedException("Only the root user can set its password.")
        account: Account = asked.view.one(ACCOUNTS, (caller.account_id,))
        need = Need("kagimori:SetRootPassword", resource=caller.principal.arn)
        return RootPassword((need,), account=account)

    def read(self, asked: Asked, facts: RootPassword) -> RootPassword:
        key = (asked.caller.account_id, ROOT_USER)
        devices: Sequence[MfaDevice] = asked.view.group(MFA_DEVICES, "by_holder", key)
        session = asked.caller.session
        if devices and (session is None or session.mfa_at is None):
            raise AccessDeniedException(
                "The root user has an MFA device: only a session with a code of it can do this."
            )
        return replace(facts, profile=asked.view.one(LOGIN_PROFILES, key))

    def ask(self, asked: Request, allowed: Allowed, facts: RootPassword) -> Command | None:
        password, profile = asked.call.input.Password, facts.profile
        check_password(password, None, ROOT_HOLDER)
        before = b"" if profile is None else profile.sealed_password
        account_id, proof = facts.account.account_id, asked.caller.proof
        return HashPassword(account_id, ROOT_HOLDER, password, before, proof=proof)

    def finish(self, asked: Request, facts: RootPassword, reply: Bytes) -> Outcome:
        before = facts.profile
        if before is None:
            after = LoginProfile(
                account_id=facts.account.account_id,
                member=ROOT_USER,
                created_at=asked.now,
                changed_at=asked.now,
                sealed_password=reply.value,
            )
        else:
            after = changed(before, sealed_password=reply.value, changed_at=asked.now)
        return Outcome({}, (Put(LOGIN_PROFILES, after, before),))


class NewToken(Facts, kw_only=True):
    """The holder of the token to be made, and the one there was."""

    holder: str
    before: SignInToken | None = None


class CreateSignInToken(Operation[NewToken, Bytes]):
    """Needs no permission: the token gives no more than the access key it is asked for with."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> NewToken:
        caller = asked.caller
        if (
            caller.session is not None
            or caller.via is not None
            or caller.principal.kind not in (PrincipalKind.ROOT, PrincipalKind.USER)
        ):
            raise AccessDeniedException("Only with a long-term access key is there such a token.")
        return NewToken(holder=ROOT_HOLDER if _is_root(caller) else caller.user_id)

    def read(self, asked: Asked, facts: NewToken) -> NewToken:
        key = (asked.caller.account_id, facts.holder)
        return replace(facts, before=asked.view.one(SIGN_IN_TOKENS, key))

    def ask(self, asked: Request, allowed: Allowed, facts: NewToken) -> Command | None:
        caller = asked.caller
        return CreateTokenCommand(caller.account_id, facts.holder, _expiry(asked), caller.proof)

    def finish(self, asked: Request, facts: NewToken, reply: Bytes) -> Outcome:
        token, before = reply.value.decode(), facts.before
        fields: dict[str, Any] = {
            "token_hash": hash_of_token(token),
            "access_key_id": asked.caller.access_key_id,
            "expires_at": _expiry(asked),
        }
        if before is None:
            account_id = asked.caller.account_id
            after = SignInToken(account_id=account_id, holder=facts.holder, **fields)
        else:
            after = changed(before, **fields)
        shown = {"Expiration": after.expires_at}
        return Outcome(
            {"SignInToken": token, **shown}, (Put(SIGN_IN_TOKENS, after, before),), shown
        )


def _expiry(asked: Request) -> int:
    return math.floor(asked.now) + TOKEN_SECONDS


def _is_root(caller: Caller) -> bool:
    return caller.principal.kind is PrincipalKind.ROOT and caller.via is None
