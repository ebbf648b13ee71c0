"""The admin service's own refusals, beside those that all services have."""

from kagimori.rules.refusal import Refusal


class ResourceNotFoundException(Refusal):
    pass


class ApprovalRequiredException(Refusal):
    """Operators must approve this: there are some, or it is never done without."""


class NotApprovedException(Refusal):
    """The request cannot be performed, or signed: not yet, or no longer."""


class SignInFailedException(Refusal):
    """Nobody signs in with this; it does not say what is wrong."""


class MfaRequiredException(Refusal):
    """The password is right, and the holder has an MFA device."""


class PasswordChangeRequiredException(Refusal):
    """Password and code are right, and the password must be changed."""


class InvalidApprovalException(Refusal):
    """A signature that counts for nothing."""
