"""Accounts and access keys, as stored."""

from msgspec import Struct


class Account(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Twelve digits, and when they were given out (seconds since the epoch).

    Sessions of the root user of an earlier `session_generation` are over.
    """

    account_id: str
    created_at: float
    session_generation: int = 0
    version: int = 1


class AccessKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A long-term access key; its secret is stored sealed by the HSM.

    `user_name` is the IAM user's, `service` the name of a service that acts for others; neither
    means the account's root user. `holder` is whose it is as the HSM has sealed it with the secret:
    `root`, a user's unique id or `service/NAME`; empty for what was made before that.
    """

    access_key_id: str
    account_id: str
    sealed_secret: bytes
    created_at: float
    user_name: str | None = None
    service: str | None = None
    holder: str = ""
    active: bool = True
    version: int = 1

    @property
    def owner(self) -> str:
        """The IAM user's name; empty for the root user."""
        return self.user_name or ""


class AccessKeyUse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When, where and for what an access key was last used; noted at most once a minute.

    Roles have such uses as well, under their unique id.
    """

    access_key_id: str
    at: float
    region: str
    service: str
    version: int = 1  # grows with `at`: of what several workers note, the newest use stays


class AccountAlias(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The name of an account; no two accounts of a deployment have the same."""

    alias: str
    account_id: str
    version: int = 1
