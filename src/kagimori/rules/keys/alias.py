"""Rules for aliases: permitted names, their number, and the keys they may move between.

Source: KMS Developer Guide, "Aliases in AWS KMS".
"""

import re
from typing import Final

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.refusal import (
    InvalidAliasNameException,
    LimitExceededException,
    NotAuthorizedException,
    ValidationException,
)
from kagimori_boundary.key_specs import SPECS, Family

PREFIX: Final = "alias/"
RESERVED: Final = "alias/aws/"
ALIASES_PER_KEY_MAX: Final = 50
_NAME: Final = re.compile(r"alias/[a-zA-Z0-9/_-]+")


def check_alias_name(name: str) -> None:
    """Check that a customer may create or move an alias of this name.

    Raises:
        ValidationException: without the prefix, or with other characters than an alias may have.
        NotAuthorizedException: reserved for AWS managed keys.
        InvalidAliasNameException: the prefix alone.
    """
    check_alias_prefix(name)
    if not _NAME.fullmatch(name):
        raise ValidationException(f"{name} contains invalid characters for an alias")


def check_alias_prefix(name: str) -> None:
    """Check that a customer may delete an alias of this name, should there be one.

    Raises:
        ValidationException: without the prefix.
        NotAuthorizedException: reserved for AWS managed keys.
        InvalidAliasNameException: the prefix alone.
    """
    if not name.startswith(PREFIX):
        raise ValidationException(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if name.startswith(RESERVED):
        raise NotAuthorizedException
    if name == PREFIX:
        raise InvalidAliasNameException(f"Alias name {name} is not valid.")


def check_alias_count(count: int) -> None:
    """Check that a key that has `count` aliases may have one more.

    Raises:
        LimitExceededException: it has as many as a key may have.
    """
    if count >= ALIASES_PER_KEY_MAX:
        raise LimitExceededException(
            f"Aliases per key quota for this account in this region is {ALIASES_PER_KEY_MAX}, "
            f"current usage is {count}."
        )


def check_same_type(arn: str, current: KmsKey, target: KmsKey) -> None:
    """Check that an alias may move from one key to another.

    Raises:
        ValidationException: a key of another type or usage.
    """
    if _type(current) != _type(target):
        raise ValidationException(
            f"Alias {arn} cannot be changed from a CMK with key type {_type(current)} to a CMK "
            f"with key type {_type(target)}. The key type of the current CMK and the new CMK "
            "must be the same."
        )
    if current.key_usage != target.key_usage:
        raise ValidationException(
            f"Alias {arn} cannot be changed from a CMK with key usage {current.key_usage} to a "
            f"CMK with key usage {target.key_usage}. The key usage of the current CMK and the "
            "new CMK must be the same."
        )


def _type(kms_key: KmsKey) -> str:
    family = SPECS[kms_key.key_spec].family
    if family is Family.SYMMETRIC:
        return "symmetric"
    return "HMAC" if family is Family.MAC else "asymmetric"
