"""A grant: operations on one KMS key for one principal, with constraints. Grants never deny.

Source: KMS Developer Guide, "Grants in AWS KMS".
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from msgspec import Struct

from kagimori.rules.policy.principal import NameKind, Way
from kagimori.rules.policy.question import Question

# Asked once for each grant that is looked at.
_ACTIONS_REMEMBERED: Final = 512
# Operations that take an encryption context; on the others its constraints are ignored.
CONTEXT_OPERATIONS: Final = frozenset(
    {
        "Encrypt",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
    }
)
_EVERY_KEY: Final = frozenset({"DescribeKey", "CreateGrant", "RetireGrant"})
_BOTH_WAYS: Final = frozenset({"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"})
_ENCAPSULATION: Final = frozenset({"Encapsulate", "Decapsulate"})

# By KeyUsage; a symmetric encryption key, which has no public part, stands apart.
SYMMETRIC_OPERATIONS: Final = CONTEXT_OPERATIONS | _EVERY_KEY
OPERATIONS_BY_USAGE: Final[Mapping[str, frozenset[str]]] = {
    "ENCRYPT_DECRYPT": _BOTH_WAYS | {"GetPublicKey"} | _EVERY_KEY,
    "SIGN_VERIFY": frozenset({"Sign", "Verify", "GetPublicKey"}) | _EVERY_KEY,
    "KEY_AGREEMENT": frozenset({"DeriveSharedSecret", "GetPublicKey"}) | _EVERY_KEY,
    "GENERATE_VERIFY_MAC": frozenset({"GenerateMac", "VerifyMac"}) | _EVERY_KEY,
    "ENCAPSULATE_DECAPSULATE": _ENCAPSULATION | {"GetPublicKey"} | _EVERY_KEY,
}
GRANT_OPERATIONS: Final = SYMMETRIC_OPERATIONS.union(*OPERATIONS_BY_USAGE.values())


class GrantTerms(Struct, frozen=True):
    """The operations and constraints of a grant; None means no such constraint."""

    operations: frozenset[str]
    encryption_context_equals: Mapping[str, str] | None = None
    encryption_context_subset: Mapping[str, str] | None = None
    source_arn: str | None = None


class Grant(Struct, frozen=True):
    """One grant on one KMS key.

    `grantee` and `retiring` are ARNs, 12-digit account ids (for an account's root ARN), unique
    ids, or service names. `issuing_account` is the account id of the caller of CreateGrant.
    `created_at` is in seconds since the epoch.
    """

    grant_id: str
    key_arn: str
    grantee: str
    terms: GrantTerms
    issuing_account: str
    retiring: str | None = None
    name: str = ""
    created_at: float = 0.0


WAY_OF_GRANTEE: Final[Mapping[NameKind, Way]] = {
    NameKind.USER: Way.USER,
    NameKind.ROLE: Way.ROLE,
    NameKind.SESSION: Way.SESSION,
    NameKind.SERVICE: Way.SERVICE,
}


def operations_for(*, key_usage: str, is_symmetric: bool) -> frozenset[str]:
    """Return the operations that a grant on such a KMS key may name."""
    if is_symmetric and key_usage == "ENCRYPT_DECRYPT":
        return SYMMETRIC_OPERATIONS
    return OPERATIONS_BY_USAGE.get(key_usage, frozenset())


@lru_cache(maxsize=_ACTIONS_REMEMBERED)
def operation_of(action: str) -> str:
    """Return the grant operation that a permission (`kms:Encrypt`) stands for, or ""."""
    vendor, _, operation = action.partition(":")
    return operation if vendor == "kms" else ""


def permits(grant: Grant, question: Question, proposed: GrantTerms | None = None) -> bool:
    """Return whether the terms of a grant cover a question; the grantee was compared before.

    `proposed` are the terms of the grant that a CreateGrant would make: without them a grant
    permits no CreateGrant.
    """
    terms = grant.terms
    operation = operation_of(question.action)
    if operation not in terms.operations or question.resource != grant.key_arn:
        return False
    if operation == "CreateGrant" and (proposed is None or not is_within(proposed, terms)):
        return False
    # Only a service calling for a resource carries its ARN, so a direct call is not covered.
    if terms.source_arn not in (None, question.source_arn) and operation != "RetireGrant":
        return False
    if operation not in CONTEXT_OPERATIONS:
        return True
    return _fits_context(terms, question.encryption_context or {})


def _fits_context(terms: GrantTerms, context: Mapping[str, str]) -> bool:
    equals, subset = terms.encryption_context_equals, terms.encryption_context_subset
    if equals is not None and dict(equals) != dict(context):
        return False
    return subset is None or _contains(context, subset)


def _contains(whole: Mapping[str, str], part: Mapping[str, str]) -> bool:
    # A key with another case is another key: the guide says exact, and exact is the safe reading.
    return part.items() <= whole.items()


def is_within(child: GrantTerms, parent: GrantTerms) -> bool:
    """Return whether a child grant allows no more than its parent.

    Its operations are among the parent's, and its constraints are the same or stricter.

    Source: KMS Developer Guide, "Grants in AWS KMS".
    """
    if not child.operations <= parent.operations:
        return False
    if parent.source_arn is not None and child.source_arn != parent.source_arn:
        return False
    equals, subset = parent.encryption_context_equals, parent.encryption_context_subset
    own = child.encryption_context_equals
    if equals is not None and (own is None or dict(own) != dict(equals)):
        return False
    if subset is None:
        return True
    narrowed = own if own is not None else child.encryption_context_subset
    return narrowed is not None and _contains(narrowed, subset)
