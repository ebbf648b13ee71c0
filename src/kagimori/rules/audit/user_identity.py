"""The `userIdentity` of an audit record.

Source: reference, section 14.1.
"""

from typing import Any

from kagimori.rules.identity.caller import Caller
from kagimori.rules.policy.principal import PrincipalKind

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
    identity = {
        "type": _TYPES[principal.kind],
        "principalId": caller.user_id,
        "arn": principal.arn,
        "accountId": principal.account_id,
        "accessKeyId": caller.access_key_id,
    }
    if caller.user_name is not None:
        identity["userName"] = caller.user_name
    return identity


def unknown_identity(claimed_access_key: str) -> dict[str, Any]:
    return {"type": "Unknown", "accessKeyId": claimed_access_key}
