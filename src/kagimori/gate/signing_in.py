"""The look-ups of a sign-in: nobody has signed the request, and it may name any account.

Who is named is answered to the operation that has the HSM check a password, or a token, and to
nobody else. The same is looked for whether or not there is such an account or user.
"""

from collections.abc import Sequence

from msgspec import Struct

from kagimori.entities.identity_tables import (
    ACCESS_KEYS,
    ACCOUNT_ALIASES,
    ACCOUNTS,
    LOGIN_PROFILES,
    MFA_DEVICES,
    PASSWORD_POLICIES,
    SIGN_IN_TOKENS,
    USERS,
)
from kagimori.gate.asked import Asked
from kagimori.rules.folding import fold
from kagimori.rules.identity.account import AccessKey, Account, AccountAlias
from kagimori.rules.identity.login_profile import LoginProfile, PasswordPolicy
from kagimori.rules.identity.mfa_device import ROOT_USER, MfaDevice
from kagimori.rules.identity.sign_in_token import SignInToken, hash_of_token
from kagimori.rules.identity.user import User
from kagimori_boundary.commands.identity import ROOT_HOLDER


class Holder(Struct, frozen=True):
    """An IAM user who is to sign in, or the root user (`user` None), with their belongings."""

    account: Account
    user: User | None
    profile: LoginProfile | None
    policy: PasswordPolicy | None
    devices: Sequence[MfaDevice]

    @property
    def principal_id(self) -> str:
        """The unique id of the user, or `root`: as the HSM has it."""
        return ROOT_HOLDER if self.user is None else self.user.unique_id

    @property
    def generation(self) -> int:
        """The generation of sessions that begin now."""
        return (self.user or self.account).session_generation


class Named(Struct, frozen=True):
    """The account that a request names, if there is such, and the holder in it, if there is."""

    account_id: str | None
    holder: Holder | None


def named_holder(asked: Asked, account: str, user_name: str | None) -> Named:
    """Return the holder of a name (None: root), and the account of an id or alias."""
    whole = asked.view.whole
    alias: AccountAlias | None = whole.one(ACCOUNT_ALIASES, (account,))
    account_id = account if alias is None else alias.account_id
    found: Account | None = whole.one(ACCOUNTS, (account_id,))
    member = ROOT_USER if user_name is None else fold(user_name)
    user: User | None = None
    if user_name is not None:
        user = whole.one(USERS, (account_id, member))
    holder = _holder(asked, account_id, found, user, member)
    is_there = user_name is None or (user is not None and user.name == user_name)
    return Named(None if found is None else account_id, holder if is_there else None)


def holder_of_token(asked: Asked, token: str) -> tuple[SignInToken | None, Holder | None]:
    """Return a token that is not spent, and its holder while its access key is in use."""
    whole = asked.view.whole
    found: Sequence[SignInToken] = whole.group(SIGN_IN_TOKENS, "by_hash", (hash_of_token(token),))
    if not found:
        return None, None
    kept = found[0]
    user: User | None = None
    if kept.holder != ROOT_HOLDER:
        user = next(iter(whole.group(USERS, "by_id", (kept.holder,))), None)
        if user is None:
            return kept, None
    key: AccessKey | None = whole.one(ACCESS_KEYS, (kept.access_key_id,))
    account: Account | None = whole.one(ACCOUNTS, (kept.account_id,))
    member = ROOT_USER if user is None else user.folded
    holder = _holder(asked, kept.account_id, account, user, member)
    is_good = asked.now < kept.expires_at and key is not None and key.active
    return kept, holder if is_good else None


def _holder(
    asked: Asked, account_id: str, account: Account | None, user: User | None, member: str
) -> Holder | None:
    whole = asked.view.whole
    profile: LoginProfile | None = whole.one(LOGIN_PROFILES, (account_id, member))
    policy: PasswordPolicy | None = whole.one(PASSWORD_POLICIES, (account_id,))
    devices: Sequence[MfaDevice] = whole.group(MFA_DEVICES, "by_holder", (account_id, member))
    if account is None:
        return None
    # The policy is about the passwords of users.
    return Holder(account, user, profile, None if member == ROOT_USER else policy, tuple(devices))
