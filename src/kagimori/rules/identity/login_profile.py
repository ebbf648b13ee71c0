"""Passwords of users and the password policy of an account, as stored.

Source: IAM API Reference, LoginProfile, PasswordPolicy; IAM User Guide,
id_credentials_passwords_account-policy.
"""

from typing import Final

from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.identity.refusals import PasswordPolicyViolation

SYMBOLS: Final = "!@#$%^&*()_+-=[]{}|'"
LENGTH_MIN_DEFAULT: Final = 8
_DAY: Final = 86_400


class LoginProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user's password: hashed, and the hash (with those before it) sealed by the HSM.

    `member` is the user's folded name, or `ROOT_USER`. Times are seconds since the epoch;
    `last_used_at` is when somebody last signed in with it.
    """

    account_id: str
    member: str
    created_at: float
    changed_at: float
    sealed_password: bytes
    reset_required: bool = False
    last_used_at: float | None = None
    version: int = 1


class PasswordPolicy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The requirements on passwords of an account's users; `max_age_days` 0 means no expiry."""

    account_id: str
    length_min: int = 6
    symbols: bool = False
    numbers: bool = False
    uppercase: bool = False
    lowercase: bool = False
    users_may_change: bool = False
    max_age_days: int = 0
    remembered: int = 0
    hard_expiry: bool = False
    version: int = 1


def is_too_old(profile: LoginProfile, policy: PasswordPolicy | None, now: float) -> bool:
    """Return whether a password is older than the account's policy lets it be."""
    if policy is None or not policy.max_age_days:
        return False
    return now - profile.changed_at >= policy.max_age_days * _DAY


def check_password(password: str, policy: PasswordPolicy | None, user_name: str) -> None:
    """Check that a password is good enough.

    Without a policy, AWS's own applies: eight characters, of three kinds, and not the user's name.

    Raises:
        PasswordPolicyViolation: it is not; says which rule, never the password.
    """
    kinds = (
        any(c.isascii() and c.isupper() for c in password),
        any(c.isascii() and c.islower() for c in password),
        any(c.isascii() and c.isdigit() for c in password),
        any(c in SYMBOLS for c in password),
    )
    length = LENGTH_MIN_DEFAULT if policy is None else policy.length_min
    if len(password) < length:
        raise PasswordPolicyViolation(f"Password should have a minimum length of {length}")
    if policy is None:
        if sum(kinds) < 3:  # noqa: PLR2004 - three kinds of the four, as the guide says
            raise PasswordPolicyViolation(
                "Password should include at least three of these: uppercase letters, lowercase "
                "letters, numbers, symbols"
            )
        if fold(password) == fold(user_name):
            raise PasswordPolicyViolation("Password should not be the same as the user name")
        return
    wanted = (
        (policy.uppercase, "Password should have at least one uppercase letter"),
        (policy.lowercase, "Password should have at least one lowercase letter"),
        (policy.numbers, "Password should have at least one number"),
        (policy.symbols, f"Password should have at least one of the following symbols: {SYMBOLS}"),
    )
    for (is_wanted, message), is_there in zip(wanted, kinds, strict=True):
        if is_wanted and not is_there:
            raise PasswordPolicyViolation(message)
