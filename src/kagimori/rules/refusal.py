"""AWS's errors: one class for each code, without anything of HTTP.

A refusal is an answer, not an accident: whoever raises one has decided. Everything else that
escapes is a fault of ours and is answered as an internal failure (see `front/refusals.py`).

Source: the exception shapes of the service models; AWS's common errors (APIReference,
CommonErrors).
"""

from typing import ClassVar


class Refusal(Exception):
    """An AWS error answer: a code, perhaps a message; never a secret in either."""

    code: ClassVar[str] = ""
    # The status below which HTTP clients see it; KMS itself answers 400 for nearly everything.
    status: ClassVar[int] = 400
    # AWS's front end spells the member `Message`, the services behind it `message`.
    capital_message: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or "")
        self.message = message

    def __init_subclass__(cls, *, code: str | None = None) -> None:
        cls.code = code or cls.__name__


# --- protocol and authentication ---------------------------------------


class SerializationException(Refusal):
    capital_message = True


class UnknownOperationException(Refusal):
    pass


class MissingAuthenticationTokenException(Refusal):
    pass


class IncompleteSignatureException(Refusal):
    pass


class InvalidSignatureException(Refusal):
    pass


class UnrecognizedClientException(Refusal):
    pass


class ExpiredTokenException(Refusal):
    pass


class AccessDeniedException(Refusal):
    capital_message = True


class ThrottlingException(Refusal):
    pass


class ValidationException(Refusal):
    pass


class InternalFailure(Refusal):
    status = 500


class ServiceUnavailable(Refusal):
    status = 503


class ServiceUnavailableException(Refusal):
    status = 503


class NotAuthorizedException(Refusal):
    pass


# --- KMS (service model, 2014-11-01) -------------------------------------------------------------


class AlreadyExistsException(Refusal):
    pass


class ConflictException(Refusal):
    pass


class DependencyTimeoutException(Refusal):
    status = 500


class DisabledException(Refusal):
    pass


class DryRunOperationException(Refusal):
    pass


class ExpiredImportTokenException(Refusal):
    pass


class IncorrectKeyException(Refusal):
    pass


class IncorrectKeyMaterialException(Refusal):
    pass


class InvalidAliasNameException(Refusal):
    pass


class InvalidArnException(Refusal):
    pass


class InvalidCiphertextException(Refusal):
    pass


class InvalidGrantIdException(Refusal):
    pass


class InvalidGrantTokenException(Refusal):
    pass


class InvalidImportTokenException(Refusal):
    pass


class InvalidKeyUsageException(Refusal):
    pass


class InvalidMarkerException(Refusal):
    pass


class KMSInternalException(Refusal):
    status = 500


class KMSInvalidMacException(Refusal):
    pass


class KMSInvalidSignatureException(Refusal):
    pass


class KMSInvalidStateException(Refusal):
    pass


class KeyUnavailableException(Refusal):
    status = 500


class LimitExceededException(Refusal):
    pass


class MalformedPolicyDocumentException(Refusal):
    pass


class NotFoundException(Refusal):
    pass


class TagException(Refusal):
    pass


class UnsupportedOperationException(Refusal):
    pass
