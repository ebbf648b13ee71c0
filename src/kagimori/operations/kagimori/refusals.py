"""The admin service's own refusals, beside those that all services have."""

from kagimori.rules.refusal import Refusal


class ResourceNotFoundException(Refusal):
    pass


class ApprovalRequiredException(Refusal):
    """Operators must approve this: there are some, or it is never done without."""


class NotApprovedException(Refusal):
    """The request cannot be performed, or signed: not yet, or no longer."""


class InvalidApprovalException(Refusal):
    """A signature that counts for nothing."""
