"""The groups of the profile `open`: few, generous, and measured by what requests cost. A table.

What takes a CPU long is counted in milliseconds of it, so that no account can take the machine,
whichever operation it chooses. The numbers are of one core of a small machine, and round.
"""

from collections.abc import Mapping
from typing import Any, Final

from kagimori.rules.quotas.aws_groups import RSA, SYMMETRIC, cryptographic_group
from kagimori.rules.quotas.group import Group, code_of

WORK: Final = "AsymmetricWork"
CHANGES: Final = "Changes"
READS: Final = "Reads"
SEARCHES: Final = "SearchWork"

MILLISECONDS: Final = "milliseconds of CPU"

# A signature, a decryption or an agreement with the private key.
_USE: Final[Mapping[str, float]] = {
    "RSA_2048": 0.8,
    "RSA_3072": 3.2,
    "RSA_4096": 6.3,
    "ECC_NIST_P256": 0.3,
    "ECC_NIST_P384": 0.4,
    "ECC_NIST_P521": 0.5,
    "ECC_SECG_P256K1": 0.7,
    "ECC_NIST_EDWARDS25519": 0.3,
    "ML_DSA_44": 1.0,
    "ML_DSA_65": 1.4,
    "ML_DSA_87": 1.8,
}
# What takes the public key of RSA alone.
_PUBLIC: Final = frozenset({"Encrypt", "Verify"})
_RSA_PUBLIC: Final = 0.1
# Making a key pair, on the average; that of RSA varies much.
_GENERATION: Final[Mapping[str, float]] = {"RSA_2048": 40.0, "RSA_3072": 300.0, "RSA_4096": 600.0}
_USE_DEFAULT: Final = 0.5
_GENERATION_DEFAULT: Final = 0.5

# A simulation counts so many decisions: the most that one of its size makes.
SIMULATIONS: Final = frozenset({"SimulateCustomPolicy", "SimulatePrincipalPolicy"})
_LARGEST: Final = "largest"
_SIZES: Final[Mapping[str, float]] = {
    "small": 20.0,
    "medium": 100.0,
    "large": 500.0,
    _LARGEST: 1600.0,
}
# What reads much before it answers: milliseconds of CPU, or as long of a disk.
_SEARCHES: Final[Mapping[tuple[str, str], float]] = {
    ("cloudtrail", "LookupEvents"): 10.0,
    ("iam", "GetAccountAuthorizationDetails"): 10.0,
    ("iam", "SimulateCustomPolicy"): 0.5,
    ("iam", "SimulatePrincipalPolicy"): 0.5,
    ("kagimori", "GetUsage"): 10.0,
    ("kagimori", "ProveKeyUnused"): 100.0,
    ("kagimori", "ReplayQuotas"): 100.0,
    ("kagimori", "SearchEvents"): 10.0,
    ("kagimori", "SearchKeys"): 10.0,
    ("kagimori", "TestKeyPolicy"): 100.0,
}


def generated_cost(key_spec: str) -> float:
    """Return the cost of making a key of this spec, in milliseconds."""
    return _GENERATION.get(key_spec, _GENERATION_DEFAULT)


def used_cost(operation: str, key_spec: str) -> float:
    """Return the cost of one use of a key of this spec, in milliseconds."""
    if operation in _PUBLIC and cryptographic_group(key_spec) == RSA:
        return _RSA_PUBLIC
    return _USE.get(key_spec, _USE_DEFAULT)


def searched_cost(service: str, operation: str, size: str) -> float | None:
    """Return the cost of a search, or of a simulation of this size; None for other requests."""
    cost = _SEARCHES.get((service, operation))
    return None if cost is None else cost * _SIZES.get(size, 1.0)


def size_of(given: Any) -> str:
    """Return the size of a simulation by the members it is given: a name in `_SIZES`.

    It decides once for each action and resource, up to a budget of steps.
    """
    resources = getattr(given, "ResourceArns", None) or ("*",)
    decisions = len(given.ActionNames) * len(resources)
    return next((name for name, most in _SIZES.items() if decisions <= most), _LARGEST)


def is_asymmetric(key_spec: str) -> bool:
    return cryptographic_group(key_spec) != SYMMETRIC


def open_groups() -> dict[str, Group]:
    """Return the groups, by key; the rates are of one account in one region."""
    made = (
        Group(
            SYMMETRIC,
            "Cryptographic operations (symmetric) request rate",
            "kms",
            50_000.0,
            "L-6E3AF000",
        ),
        _own(WORK, "Asymmetric operations and key generation", 4_000.0, unit=MILLISECONDS),
        _own(READS, "Other requests that read", 20_000.0),
        _own(CHANGES, "Requests that change", 2_000.0),
        _own(SEARCHES, "Searches and simulations", 4_000.0, unit=MILLISECONDS),
    )
    return {group.key: group for group in made}


def _own(key: str, name: str, rate: float, *, unit: str = "requests") -> Group:
    return Group(key, name, "kms", rate, code_of("kms", key), unit)
