"""The resources of a simulation: whose each is, and which KMS key of ours.

Source: IAM API Reference, SimulateCustomPolicy (ResourceArns, ResourceOwner,
ResourceHandlingOption).
"""

import re
from typing import Any, Final

from msgspec import Struct

from kagimori.entities.tables import GRANTS, KMS_KEYS
from kagimori.gate.asked import Asked
from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.refusals import InvalidInput
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.names import ACCOUNT_ID

RESOURCES_MAX: Final = 100
EVERYTHING: Final = "*"
_KEY_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):([0-9]{12}):key/([0-9a-z-]+)")
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_OWNER: Final = re.compile(r"(?:arn:aws[a-z-]*:iam::)?([0-9]{12})(?::root)?")
_ACCOUNT_PART: Final = 4
_ARN_PARTS: Final = 6
_EC2: Final = ("instance", "image", "security-group", "network-interface")
# What each kind of EC2 simulation needs, by the beginning of the resource part.
_HANDLING: Final = {
    "EC2-VPC-InstanceStore": _EC2,
    "EC2-VPC-InstanceStore-Subnet": (*_EC2, "subnet"),
    "EC2-VPC-EBS": (*_EC2, "volume"),
    "EC2-VPC-EBS-Subnet": (*_EC2, "subnet", "volume"),
}


class Resource(Struct, frozen=True):
    """One resource: its owner's account; `kms_key` if it is one of the caller's account."""

    arn: str
    owner: str
    is_kms_key: bool = False
    kms_key: KmsKey | None = None


def resources_given(asked: Asked, caller: Caller) -> list[Resource]:
    """Return the resources of a simulation; everything, if none are named.

    Raises:
        InvalidInput: too many, what is no ARN, or not what the kind of simulation needs.
        Absent: a key, or its grants to the caller, are not in memory yet.
    """
    given = asked.call.input
    arns = given.ResourceArns or [EVERYTHING]
    if len(arns) > RESOURCES_MAX:
        raise InvalidInput(f"A simulation takes {RESOURCES_MAX} resources.")
    _check_handling(given.ResourceHandlingOption, arns)
    owner = caller.account_id
    if given.ResourceOwner is not None:
        match = _OWNER.fullmatch(given.ResourceOwner)
        if match is None:
            raise InvalidInput(f"Invalid Resource Owner: {given.ResourceOwner}")
        owner = match[1]
    resources = [_resource(asked, arn, owner) for arn in arns]
    if given.ResourcePolicy is not None and any(_ROLE_ARN.fullmatch(arn) for arn in arns):
        raise InvalidInput("Resource policies are not supported for IAM roles.")
    for resource in resources:
        if resource.kms_key is not None:
            _read_grants(asked, resource.kms_key, caller)
    return resources


def _resource(asked: Asked, arn: str, owner: str) -> Resource:
    if arn == EVERYTHING:
        return Resource(arn, owner)
    parts = arn.split(":")
    if parts[0] != "arn" or len(parts) < _ARN_PARTS:
        raise InvalidInput(f"Invalid Resource ARN: {arn}")
    owner = parts[_ACCOUNT_PART] if ACCOUNT_ID.fullmatch(parts[_ACCOUNT_PART]) else owner
    match = _KEY_ARN.fullmatch(arn)
    if match is None:
        return Resource(arn, owner)
    key: KmsKey | None = None
    if match[2] == asked.caller.account_id:
        found = asked.view.one(KMS_KEYS, (match[2], match[1], match[3]))
        key = found if found is not None and found.arn == arn else None
    return Resource(arn, owner, is_kms_key=True, kms_key=key)


def _read_grants(asked: Asked, key: KmsKey, caller: Caller) -> None:
    """Have the grants in memory before anything is simulated, which would be begun anew."""
    for name in (caller.account_id, *(name for _, name in caller.principal.names)):
        asked.view.group(GRANTS, "by_grantee", (key.account_id, key.region, key.key_id, name))


def _check_handling(option: str | None, arns: list[str]) -> None:
    if option is None:
        return
    needed: Any = _HANDLING.get(option)
    if needed is None:
        raise InvalidInput(f"Invalid Resource Handling Option: {option}")
    kinds = {arn.split(":", _ARN_PARTS - 1)[-1].partition("/")[0] for arn in arns}
    for kind in needed:
        if kind not in kinds:
            raise InvalidInput(f"{option} needs a resource of type {kind}.")
