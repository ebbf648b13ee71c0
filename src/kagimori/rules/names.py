"""Names: key ids, ARNs and aliases, parsed once.

Source: KMS Developer Guide, "Key identifiers (KeyId)" (formats, and what each malformed one is
answered with).
"""

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from kagimori.rules.partitions import partition_of
from kagimori.rules.refusal import InvalidArnException, NotFoundException

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MULTI_REGION_ID: Final = re.compile(r"mrk-[0-9a-f]{32}")
_ARN: Final = re.compile(
    r"arn:(aws[a-z-]*):kms:([a-z0-9-]+):([0-9]{12}):(key|alias)/(.+)", re.DOTALL
)
ACCOUNT_ID: Final = re.compile(r"[0-9]{12}", re.ASCII)


class KeyRef(Struct, frozen=True):
    """A well-formed way of naming a KMS key: by `key_id`, or by `alias_name` (with its prefix)."""

    account_id: str
    region: str
    key_id: str | None = None
    alias_name: str | None = None
    by_arn: bool = False


def key_arn(account_id: str, region: str, key_id: str) -> str:
    return f"arn:{partition_of(region).name}:kms:{region}:{account_id}:key/{key_id}"


def alias_arn(account_id: str, region: str, alias_name: str) -> str:
    """Return the ARN of an alias; its resource part is the alias name itself."""
    return f"arn:{partition_of(region).name}:kms:{region}:{account_id}:{alias_name}"


def root_arn(account_id: str, partition: str) -> str:
    return f"arn:{partition}:iam::{account_id}:root"


@lru_cache(maxsize=1024)
def is_key_id(text: str) -> bool:
    return bool(_UUID.fullmatch(text) or _MULTI_REGION_ID.fullmatch(text))


def parse_key_ref(text: str, *, account_id: str, region: str, aliases: bool = True) -> KeyRef:
    """Return the key that a `KeyId` member names for a caller of this account in this region.

    A bare key id or alias name is the caller's own. `aliases` is whether the operation takes them.

    Raises:
        NotFoundException: no key can have this id, or it is of another region.
        InvalidArnException: a malformed ARN, or an alias where only keys are taken.
    Source: KMS Developer Guide, "Key identifiers (KeyId)".
    """
    if text.startswith("arn:"):
        return _parse_arn(text, region=region, aliases=aliases)
    if text.startswith("alias/"):
        if not aliases:
            raise InvalidArnException("Key Aliases are not supported for this operation.")
        return KeyRef(account_id, region, alias_name=text)
    if not is_key_id(text):
        raise NotFoundException(f"Invalid keyId '{text}'")
    return KeyRef(account_id, region, key_id=text)


def _parse_arn(text: str, *, region: str, aliases: bool) -> KeyRef:
    match = _ARN.fullmatch(text)
    if match is None:
        raise InvalidArnException(f"Invalid arn {text}")
    partition, arn_region, account_id, kind, name = match.groups()
    if partition != partition_of(arn_region).name:
        raise InvalidArnException(f"Invalid arn {text}")
    if arn_region != region:
        raise NotFoundException(f"Invalid arn {arn_region}")
    if kind == "alias":
        if not aliases:
            raise InvalidArnException("Key Aliases are not supported for this operation.")
        return KeyRef(account_id, region, alias_name=f"alias/{name}", by_arn=True)
    if not is_key_id(name):
        raise NotFoundException(f"Invalid keyId '{name}'")
    return KeyRef(account_id, region, key_id=name, by_arn=True)
