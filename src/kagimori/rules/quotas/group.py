"""A group: the operations that share one quota, and what it is called."""

from hashlib import sha256

from msgspec import Struct


class Group(Struct, frozen=True):
    """Operations that share a quota of `rate` a second, in requests or in another unit.

    `key` is its short name, in settings and metrics: the one that CloudWatch's usage metrics have
    for AWS's groups. `quota_code` is Service Quotas' name for it.
    """

    key: str
    name: str
    service: str
    rate: float
    quota_code: str
    unit: str = "requests"
    adjustable: bool = True


def code_of(service: str, key: str) -> str:
    """Return a quota code for a group of which no code of AWS's is known: always the same."""
    digest = sha256(f"{service}/{key}".encode()).digest()
    return f"L-{int.from_bytes(digest[:4]):08X}"


class Charge(Struct, frozen=True):
    """The cost of a request: its group, and how much of that group's rate it takes."""

    group: Group
    cost: float = 1.0
