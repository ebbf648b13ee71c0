"""Checks of CreateGrant's parameters: operations, constraints and principals.

Source: KMS Developer Guide, "Grants in AWS KMS".
"""

import re
from typing import Any, Final

from kagimori.rules.keys.grant import GrantTerms, operations_for
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.refusal import InvalidArnException, ValidationException

GRANTS_PER_KEY_MAX: Final = 50_000
_PAIRS_MAX: Final = 8
_VALUE_CHARACTERS_MAX: Final = 384
_ACCOUNT: Final = re.compile(r"(?:arn:aws[a-z-]*:iam::)?([0-9]{12})(?::root)?", re.ASCII)
_PRINCIPAL: Final = re.compile(
    r"arn:aws[a-z-]*:(?:"
    r"iam::[0-9]{12}:(?:user|role)/(?:[!-~]*/)?[\w+=,.@-]+"
    r"|sts::[0-9]{12}:(?:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+)"
    r")",
    re.ASCII,
)


def read_terms(given: Any) -> GrantTerms:
    """Return the operations and constraints that are asked for.

    An empty map is no constraint: Terraform always sends both, one of them empty.

    Raises:
        ValidationException: none that a grant could have, on whichever key.
    """
    operations = frozenset(given.Operations)
    if not operations:
        raise ValidationException("Grants must contain at least one operation.")
    if operations == {"CreateGrant"}:
        raise ValidationException("Grants must not contain only the CreateGrant operation.")
    constraints = given.Constraints
    if constraints is None:
        return GrantTerms(operations)
    equals = constraints.EncryptionContextEquals or None
    subset = constraints.EncryptionContextSubset or None
    if equals is not None and subset is not None:
        raise ValidationException("More than one constraint supplied")
    for pairs in (equals, subset):
        _check_pairs(pairs or {})
    return GrantTerms(operations, equals, subset, constraints.SourceArn)


def check_terms(terms: GrantTerms, kms_key: KmsKey) -> None:
    """Check that a grant on this key may have these terms.

    Raises:
        ValidationException: an operation or a constraint that is not for keys of its kind.
    """
    is_symmetric = kms_key.key_spec == SYMMETRIC_DEFAULT
    possible = operations_for(key_usage=kms_key.key_usage, is_symmetric=is_symmetric)
    for operation in sorted(terms.operations - possible):
        raise ValidationException(
            f"Operation {operation} is not valid for a grant on the KMS key {kms_key.arn}."
        )
    has_context = terms.encryption_context_equals or terms.encryption_context_subset
    if has_context and not is_symmetric:
        raise ValidationException(
            "Encryption context constraints are only valid for symmetric encryption KMS keys."
        )


def _check_pairs(pairs: dict[str, str]) -> None:
    if len(pairs) > _PAIRS_MAX:
        raise ValidationException(
            f"Encryption context constraints can have at most {_PAIRS_MAX} pairs."
        )
    if any(len(value) > _VALUE_CHARACTERS_MAX for value in pairs.values()):
        raise ValidationException(
            "Encryption context constraint values can have at most "
            f"{_VALUE_CHARACTERS_MAX} characters."
        )


def principal_name(written: str) -> str:
    """Return a principal's ARN as grants are matched by it: an account becomes its 12 digits.

    Raises:
        InvalidArnException: no user, role, session, federated user or account.
    """
    account = _ACCOUNT.fullmatch(written)
    if account is not None:
        return account[1]
    if _PRINCIPAL.fullmatch(written) is None:
        raise InvalidArnException(f"ARN does not refer to a valid principal: {written}")
    return written


def check_parties(given: Any) -> None:
    """Check that grantee and retiring principal are each named in one way.

    Raises:
        ValidationException: none, both, or a service without what a service's grant needs.
    """
    if (given.GranteePrincipal is None) == (given.GranteeServicePrincipal is None):
        raise ValidationException(
            "Specify exactly one of GranteePrincipal and GranteeServicePrincipal."
        )
    retiring = (given.RetiringPrincipal, given.RetiringServicePrincipal)
    if None not in retiring:
        raise ValidationException(
            "Specify at most one of RetiringPrincipal and RetiringServicePrincipal."
        )
    if given.GranteeServicePrincipal is not None:
        source = given.Constraints.SourceArn if given.Constraints is not None else None
        if source is None or retiring == (None, None):
            raise ValidationException(
                "A grant to a service principal needs a SourceArn constraint and a retiring "
                "principal."
            )
