"""Operations that some kinds of credentials cannot call, whatever policies allow.

Source: STS API Reference, GetSessionToken and GetFederationToken. Who has signed in may call IAM
also without an MFA device, as in AWS's console. For services:
docs/understand/acting-for-another.md.
"""

from typing import Final

from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.service import service_principal
from kagimori.rules.identity.service_actions import may_ask_for_callers, may_grant_for_callers
from kagimori.rules.identity.session import FEDERATED, ROLE
from kagimori.rules.refusal import AccessDeniedException, UnrecognizedClientException
from kagimori.rules.request import Call

_WITH_SESSION_TOKEN: Final = frozenset({"AssumeRole", "GetCallerIdentity"})
_WITH_FEDERATION_TOKEN: Final = frozenset({"GetCallerIdentity"})
_FOR_LONG_TERM_KEYS: Final = frozenset({"GetSessionToken", "GetFederationToken"})


def check_session_limits(caller: Caller, service: str, operation: str) -> None:
    """Check that the caller's kind of credentials may call the operation at all.

    Raises:
        AccessDeniedException: an STS call that needs other credentials.
        UnrecognizedClientException: an IAM call with a token that never works there.
    """
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
        session.kind == FEDERATED
        or (session.kind != ROLE and session.mfa_at is None and not session.is_sign_in)
    ):
        raise UnrecognizedClientException("The security token included in the request is invalid.")


def check_service_limits(caller: Caller, service: str, call: Call) -> None:
    """Check that a service may make this call for a caller who showed it a request.

    A request shown must not be turned into credentials, into another policy, or into a grant that
    somebody else lives on.

    Raises:
        AccessDeniedException: it may not.
    """
    refused = AccessDeniedException(f"A service cannot call {call.operation} for its callers")
    if call.service != "kms" or not may_ask_for_callers(service, call.operation):
        raise refused
    given = call.input
    if call.operation == "CreateGrant" and not (
        may_grant_for_callers(service, caller.account_id, given.GranteePrincipal, given.Operations)
        and (
            given.RetiringPrincipal is None
            or may_grant_for_callers(service, caller.account_id, given.RetiringPrincipal, ())
        )
        and {given.GranteeServicePrincipal, given.RetiringServicePrincipal}
        <= {None, service_principal(service)}
    ):
        raise refused
