"""Failures of calls: the service is away, or refuses."""

from typing import Final

DENIED_CODES: Final = frozenset({"AccessDenied", "AccessDeniedException"})
EXPIRED_CODES: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidTokenException",
        "UnrecognizedClientException",
    }
)


class ApiFailure(Exception):
    """A call failed."""


class ApiAway(ApiFailure):
    """The service cannot be reached, or answers what it never would."""


class ApiRefused(ApiFailure):
    """The service refused: its error code and message, and the request's id."""

    def __init__(
        self, service: str, operation: str, *, code: str, message: str, status: int, request_id: str
    ) -> None:
        super().__init__(f"{service}:{operation}: {code}: {message}")
        self.service, self.operation = service, operation
        self.code, self.message = code, message
        self.status, self.request_id = status, request_id

    @property
    def denied(self) -> bool:
        """True if the caller may not do it; `GetDenial` says why."""
        return self.code in DENIED_CODES

    @property
    def signed_out(self) -> bool:
        """True if the caller's session is over."""
        return self.code in EXPIRED_CODES
