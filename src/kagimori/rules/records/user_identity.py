"""The `userIdentity` of an audit record.

Source: CloudTrail User Guide, "CloudTrail record contents".
"""

from typing import Any

from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.service import service_principal
from kagimori.rules.identity.session import FEDERATED, ROLE, SessionClaims
from kagimori.rules.policy.principal import PrincipalKind
from kagimori.rules.records.times import iso_time

_TYPES = {
    PrincipalKind.ROOT: "Root",
    PrincipalKind.USER: "IAMUser",
    PrincipalKind.USER_SESSION: "IAMUser",
    PrincipalKind.ROLE_SESSION: "AssumedRole",
    PrincipalKind.FEDERATED_USER: "FederatedUser",
    PrincipalKind.SERVICE: "AWSService",
}


def user_identity(caller: Caller) -> dict[str, Any]:
    """Return who the caller is, for the record."""
    principal = caller.principal
    if caller.service is not None:
        return {"type": "AWSService", "invokedBy": principal.arn}
    if principal.kind is PrincipalKind.WEB_IDENTITY:
        return {
            "type": "WebIdentityUser",
            "principalId": caller.user_id,
            "userName": caller.user_name,
            "identityProvider": caller.user_id.partition(":")[0],
        }
    identity: dict[str, Any] = {
        "type": _TYPES[principal.kind],
        "principalId": caller.user_id,
        "arn": principal.arn,
        "accountId": principal.account_id,
        "accessKeyId": caller.access_key_id,
    }
    if caller.user_name is not None:
        identity["userName"] = caller.user_name
    if caller.session is not None:
        identity["sessionContext"] = _session_context(caller, caller.session)
    if caller.via is not None:
        identity["invokedBy"] = service_principal(caller.via)
    return identity


def _session_context(caller: Caller, session: SessionClaims) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if session.kind == FEDERATED:
        context["sessionIssuer"] = {
            "type": "IAMUser" if session.unique_id else "Root",
            "principalId": session.unique_id or session.account_id,
            "arn": caller.issuer_arn,
            "accountId": session.account_id,
            "userName": session.name,
        }
    elif session.kind == ROLE:
        context["sessionIssuer"] = {
            "type": "Role",
            "principalId": session.unique_id,
            "arn": caller.issuer_arn,
            "accountId": session.account_id,
            "userName": session.name,
        }
    if session.provider is not None:
        context["webIdFederationData"] = {"federatedProvider": session.provider, "attributes": {}}
    context["attributes"] = {
        "creationDate": iso_time(session.issued_at),
        "mfaAuthenticated": "false" if session.mfa_at is None else "true",
    }
    if session.source_identity is not None:
        context["sourceIdentity"] = session.source_identity
    return context


def unknown_identity(claimed_access_key: str) -> dict[str, Any]:
    return {"type": "Unknown", "accessKeyId": claimed_access_key}
