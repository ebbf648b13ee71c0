"""The one way an algorithm says no: `Refused`, with a reason and never a secret.

The HSM's front turns a reason into the boundary's answer; AWS's error names are not known here.
"""

from enum import StrEnum, unique


@unique
class Reason(StrEnum):
    """A reason for refusing an operation. The text is safe to log."""

    INVALID_CIPHERTEXT = "invalid ciphertext"
    INVALID_SIGNATURE = "invalid signature"
    INVALID_MAC = "invalid mac"
    INCORRECT_KEY_MATERIAL = "incorrect key material"
    INVALID_PUBLIC_KEY = "invalid public key"
    UNSUPPORTED = "unsupported"
    TOO_LONG = "too long"
    BAD_DIGEST_LENGTH = "bad digest length"
    INCORRECT_PASSWORD = "incorrect password"  # noqa: S105 - says what is wrong, and is none
    USED_PASSWORD = "used password"  # noqa: S105
    INVALID_CODE = "invalid code"
    INVALID_CODES = "invalid codes"
    FORBIDDEN = "forbidden"
    TOO_OFTEN = "too often"
    NOT_APPROVED = "not approved"
    TOO_EARLY = "too early"
    SIGN_IN_FAILED = "sign-in failed"
    MFA_REQUIRED = "code required"
    PASSWORD_CHANGE_REQUIRED = "password change required"  # noqa: S105
    TOKEN_AWAY = "token away"  # noqa: S105
    KEY_NOT_IN_TOKEN = "key not in token"  # noqa: S105


class Refused(Exception):
    """An operation was refused; `reason` is all that the caller learns."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason
