"""Partitions and regions: which there are, and what each partition has a name for.

A partition is a part of AWS with accounts, regions and ARNs of its own (`aws`, `aws-cn`, ...). The
facts come from botocore's data files, as the SDKs read them; they are read once, and used as
constants.

Source: AWS IAM User Guide, "Amazon Resource Names (ARNs)"; AWS General Reference, "AWS Identity
and Access Management endpoints and quotas".
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

import msgspec
from msgspec import Struct

AWS: Final = "aws"
# Where these are asked, whatever region their caller works in: SDKs sign for the global region.
GLOBAL_SERVICES: Final = frozenset(("iam", "sts", "cloudtrail"))


class Partition(Struct, frozen=True):
    """One partition; `global_region` is where its IAM, which has no region, is signed for."""

    name: str
    dns_suffix: str
    global_region: str
    regions: frozenset[str]
    region_pattern: str

    def has_form(self, region: str) -> bool:
        """Return whether a region's name has the form that this partition gives to its regions."""
        return re.fullmatch(self.region_pattern, region, re.ASCII) is not None


class _Outputs(Struct, frozen=True, rename="camel"):
    dns_suffix: str
    implicit_global_region: str


class _Described(Struct, frozen=True, rename="camel"):
    id: str
    region_regex: str
    regions: dict[str, Any]
    outputs: _Outputs


class _Descriptions(Struct, frozen=True):
    partitions: list[_Described]


class _Scope(Struct, frozen=True):
    region: str | None = None


class _Endpoint(Struct, frozen=True, rename="camel"):
    credential_scope: _Scope = _Scope()


class _Service(Struct, frozen=True, rename="camel"):
    endpoints: dict[str, _Endpoint] = {}
    partition_endpoint: str = ""


class _Endpoints(Struct, frozen=True):
    partition: str
    services: dict[str, _Service]


class _AllEndpoints(Struct, frozen=True):
    partitions: list[_Endpoints]


@cache
def partitions() -> dict[str, Partition]:
    """Return every partition by its name, `aws` first."""
    described = msgspec.json.decode(_data("partitions.json"), type=_Descriptions).partitions
    iam_regions = _iam_regions()
    return {
        one.id: Partition(
            one.id,
            one.outputs.dns_suffix,
            # IAM of aws-cn is in another region than botocore calls that partition's global one.
            iam_regions.get(one.id, one.outputs.implicit_global_region),
            frozenset(name for name in one.regions if not name.endswith("-global")),
            one.region_regex,
        )
        for one in sorted(described, key=lambda one: (one.id != AWS, one.id))
    }


def _iam_regions() -> dict[str, str]:
    """Return which region IAM is signed for, for the partitions whose endpoints are listed."""
    found = {}
    for one in msgspec.json.decode(_data("endpoints.json"), type=_AllEndpoints).partitions:
        iam = one.services.get("iam", _Service())
        scope = iam.endpoints.get(iam.partition_endpoint, _Endpoint()).credential_scope
        if scope.region is not None:
            found[one.partition] = scope.region
    return found


def _data(name: str) -> bytes:
    return (resources.files("botocore") / "data" / name).read_bytes()


@lru_cache(maxsize=1024)
def partition_of(region: str) -> Partition:
    """Return the partition that a region is of; a name of no partition's form counts as `aws`'s."""
    found = partitions().values()
    for partition in found:
        if region in partition.regions:
            return partition
    return next((one for one in found if one.has_form(region)), partitions()[AWS])


def known_regions() -> tuple[str, ...]:
    """Return every region that botocore knows, those of `aws` first."""
    return tuple(region for one in partitions().values() for region in sorted(one.regions))


def is_known(region: str) -> bool:
    """Return whether botocore knows a region of this name."""
    return region in partition_of(region).regions


def has_form(region: str) -> bool:
    """Return whether a name has the form of a region's, in any partition."""
    return partition_of(region).has_form(region)


def signable_regions(service: str, served: Iterable[str]) -> frozenset[str]:
    """Return the regions that a request to a service may be signed for.

    These are the regions that the deployment serves and, for services that SDKs ask at one global
    endpoint, the region in which their partition has that endpoint.
    """
    regions = frozenset(served)
    if service not in GLOBAL_SERVICES:
        return regions
    return regions | {partition_of(region).global_region for region in regions}


def region_of_call(service: str, signed_for: str) -> str:
    """Return the region in which a call takes place: IAM's is its partition's global one."""
    return partition_of(signed_for).global_region if service == "iam" else signed_for
