"""The identity that a sign-in claims, as far as its record may show it."""

from msgspec import Struct


class Claimed(Struct, frozen=True, gc=False):
    """The user or root user that a sign-in names; nothing is shown of one that does not exist.

    `account_id` is empty unless there is such an account, `principal_id` unless there is such a
    user in it. `user_name` is None for the root user. `access_key_id` is that of the session which
    a success gives.
    """

    account_id: str = ""
    principal_id: str = ""
    arn: str = ""
    user_name: str | None = None
    access_key_id: str = ""
    has_code: bool = False
