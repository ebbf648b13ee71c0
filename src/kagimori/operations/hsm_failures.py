"""Maps failures of the HSM to AWS's errors."""

from typing import Final

from kagimori.rules.identity.refusals import (
    AccessDenied,
    InvalidAuthenticationCode,
    PasswordPolicyViolation,
)
from kagimori.rules.refusal import (
    ExpiredImportTokenException,
    IncorrectKeyMaterialException,
    InvalidCiphertextException,
    InvalidImportTokenException,
    KMSInternalException,
    KMSInvalidMacException,
    KMSInvalidSignatureException,
    Refusal,
    ThrottlingException,
    UnsupportedOperationException,
    ValidationException,
)
from kagimori_boundary.replies import Failure

_REFUSALS: Final[dict[Failure, type[Refusal]]] = {
    Failure.INVALID_CIPHERTEXT: InvalidCiphertextException,
    Failure.INVALID_SIGNATURE: KMSInvalidSignatureException,
    Failure.INVALID_MAC: KMSInvalidMacException,
    Failure.INCORRECT_KEY_MATERIAL: IncorrectKeyMaterialException,
    Failure.INVALID_PUBLIC_KEY: ValidationException,  # with no message
    Failure.EXPIRED_TOKEN: ExpiredImportTokenException,
    Failure.INVALID_TOKEN: InvalidImportTokenException,
    Failure.UNSUPPORTED: UnsupportedOperationException,
    Failure.TOO_LONG: ValidationException,
    Failure.BAD_DIGEST_LENGTH: ValidationException,
}


_WITH_MESSAGE: Final[dict[Failure, tuple[type[Refusal], str]]] = {
    Failure.TOO_OFTEN: (ThrottlingException, "Rate exceeded"),
    Failure.BUSY: (ThrottlingException, "Rate exceeded"),
    Failure.INCORRECT_PASSWORD: (AccessDenied, "The old password was incorrect."),
    Failure.USED_PASSWORD: (
        PasswordPolicyViolation,
        "Password cannot be the same as one that was used before.",
    ),
    Failure.INVALID_CODE: (
        AccessDenied,
        "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
    ),
    Failure.INVALID_CODES: (
        InvalidAuthenticationCode,
        "Authentication code for device is not valid.",
    ),
}


_KMS: Final = "kms"
_KMS_BUSY: Final = (
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
)


def refusal_for(failure: Failure, service: str = "") -> Refusal:
    """Return the refusal for a failure; what the caller did not cause is an internal error.

    Source: AWS KMS Developer Guide, "Throttling AWS KMS requests" (the text of KMS).
    """
    if failure is Failure.BUSY and service == _KMS:
        return ThrottlingException(_KMS_BUSY)
    if failure in _WITH_MESSAGE:
        kind, message = _WITH_MESSAGE[failure]
        return kind(message)
    return _REFUSALS.get(failure, KMSInternalException)()
