"""Operations that some kinds of credentials cannot call, whatever policies allow.

Source: STS API Reference, GetSessionToken and GetFederationToken. For services:
docs/understand/acting-for-another.md.
"""

from typing import Final

from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.session import FEDERATED, ROLE
from kagimori.rules.refusal import AccessDeniedException, UnrecognizedClientException

_WITH_SESSION_TOKEN: Final = frozenset({"AssumeRole", "GetCallerIdentity"})
_WITH_FEDERATION_TOKEN: Final = frozenset({"GetCallerIdentity"})
_FOR_LONG_TERM_KEYS: Final = frozenset({"GetSessionToken", "GetFederationToken"})


def check_session_limits(caller: Caller, service: str, operation: str) -> None:
    """Check that the caller's kind of credentials may call the operation at all.

    Raises:
        AccessDeniedException: an STS call that needs other credentials, or a service that acts
            for a caller elsewhere than in KMS.
        UnrecognizedClientException: an IAM call with a token that never works there.
    """
    # Else a request shown once could be turned into credentials that outlive it.
    if caller.via is not None and service != "kms":
        raise AccessDeniedException(f"A service cannot call {operation} for its callers")
    if caller.service is not None and service == "sts" and operation in _FOR_LONG_TERM_KEYS:
        raise AccessDeniedException(f"Cannot call {operation} with the credentials of a service")
    session = caller.session
    if session is None:
        return
    if service == "sts":
        if operation in _FOR_LONG_TERM_KEYS:
            raise AccessDeniedException(f"Cannot call {operation} with session credentials")
        allowed = _WITH_FEDERATION_TOKEN if session.kind == FEDERATED else _WITH_SESSION_TOKEN
        if session.kind != ROLE and operation not in allowed:
            raise AccessDeniedException(f"Cannot call {operation} with session credentials")
    elif service == "iam" and (
        session.kind == FEDERATED or (session.kind != ROLE and session.mfa_at is None)
    ):
        raise UnrecognizedClientException("The security token included in the request is invalid.")
