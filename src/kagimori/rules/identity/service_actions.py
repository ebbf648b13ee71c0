"""The actions of KMS that a service may take for a caller: those that use keys.

A request that somebody signed for a service shows that they asked that service for something. It
does not show that they want a key's policy changed or a key deleted, so no service can do that for
them, whatever they may themselves.

Source: KMS Developer Guide, "Grants for AWS services" and `kms:GrantIsForAWSResource`; the
documentation of each service's use of AWS KMS; docs/understand/acting-for-another.md.
"""

from collections.abc import Collection, Mapping
from typing import Final

from kagimori.rules.identity.service import service_principal

_DATA_KEYS: Final = frozenset(
    {
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
    }
)
_CRYPTOGRAPHY: Final = _DATA_KEYS | {
    "Decrypt",
    "DeriveSharedSecret",
    "Encrypt",
    "GenerateMac",
    "GetPublicKey",
    "ReEncrypt",
    "Sign",
    "Verify",
    "VerifyMac",
}
_GRANTS: Final = frozenset({"CreateGrant", "ListGrants", "RetireGrant", "RevokeGrant"})
_STORAGE: Final = _DATA_KEYS | {"Decrypt", "DescribeKey", "Encrypt", "ReEncrypt"}

# Services whose documentation says what they ask; every other may use keys and make grants.
_ACTIONS: Final[Mapping[str, frozenset[str]]] = {
    "dynamodb": _STORAGE | _GRANTS,
    "ebs": _STORAGE | _GRANTS,
    "ec2": _STORAGE | _GRANTS,
    "logs": _STORAGE,
    "rds": _STORAGE | _GRANTS,
    "s3": _STORAGE | _GRANTS,
    "secretsmanager": _STORAGE | _GRANTS,
    "sns": _STORAGE,
    "sqs": _STORAGE,
    "ssm": _STORAGE,
}
_OTHERS: Final = _CRYPTOGRAPHY | _GRANTS | {"DescribeKey"}


def may_ask_for_callers(service: str, operation: str) -> bool:
    """Return whether a service may call an operation of KMS for somebody who asked it."""
    return operation in _ACTIONS.get(service, _OTHERS)


def may_grant_for_callers(
    service: str, account_id: str, grantee: str | None, operations: Collection[str]
) -> bool:
    """Return whether a service may make a grant to this grantee for somebody of an account.

    It may for itself, and for principals of that account, and only what it may ask for itself.
    None as grantee is a service principal that was named as such.
    """
    if not all(may_ask_for_callers(service, one) for one in map(_operation, operations)):
        return False
    if grantee is None or grantee == service_principal(service):
        return True
    parts = grantee.split(":")
    return grantee == account_id or (len(parts) > _ACCOUNT and parts[_ACCOUNT] == account_id)


_ACCOUNT: Final = 4


def _operation(granted: str) -> str:
    """Return the operation that an operation of a grant is about."""
    return "ReEncrypt" if granted in ("ReEncryptFrom", "ReEncryptTo") else granted
