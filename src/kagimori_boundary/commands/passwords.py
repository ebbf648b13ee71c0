"""Commands about passwords, and the sign-in with one: the HSM checks it, and makes the session."""

from typing import ClassVar, Final

from kagimori_boundary.commands.command import HsmCommand
from kagimori_boundary.commands.identity import Proof
from kagimori_boundary.commands.sign_in import OneCode

# Who asked for a session in the HSM's journal, where no access key did.
BY_PASSWORD: Final = "a password"  # noqa: S105 - says how, and is none


class HashPassword(HsmCommand, frozen=True, tag=31):
    """Hash a new password of a user; answers the hash sealed with the newest before it.

    `sealed_before` is what was answered for the password before (empty for the first), `current`
    that password where it must be known to be changed. The new one must be none of `remembered`.
    `proof` shows a caller of the same account, and for the root user's password the root user.
    """

    is_slow: ClassVar[bool] = True

    account_id: str
    user_id: str
    password: str
    sealed_before: bytes = b""
    current: str | None = None
    remembered: int = 0
    proof: Proof | None = None


class SignIn(HsmCommand, frozen=True, tag=120):
    """Check a password, or a sign-in token, and only if it is right make a session.

    `principal_id` is the unique id of the user, or `root`; empty with the account's where there is
    nobody of that name, which costs as much. Attempts are counted by `named` (account and user, as
    they were named) and `came_from`, but for a device that `known_device` shows to have signed in
    before. `codes` is
    the code for each MFA device of the holder; without one, `wants_code` refuses a right password.
    `new_password` is taken if `is_change_due`, and must be none of `remembered`. Times are whole
    seconds since the epoch.
    """

    is_slow: ClassVar[bool] = True
    is_minting: ClassVar[bool] = True

    access_key_id: str
    account_id: str
    principal_id: str
    issued_at: int
    expires_at: int
    claims: bytes
    named: tuple[str, str]
    came_from: str
    password: str = ""
    sealed_password: bytes = b""
    codes: tuple[OneCode, ...] = ()
    wants_code: bool = False
    is_change_due: bool = False
    new_password: str | None = None
    remembered: int = 0
    token: bytes = b""
    known_device: bytes = b""

    @property
    def payer(self) -> str:
        """The source, by which the queue is shared out: no account pays for strangers."""
        return f"sign-in from {self.came_from}"


class CreateSignInToken(HsmCommand, frozen=True, tag=121):
    """Make a token with which the caller can sign in until a time; an access key must show who.

    `expires_at` is in whole seconds since the epoch.
    """

    account_id: str
    principal_id: str
    expires_at: int
    proof: Proof | None = None
