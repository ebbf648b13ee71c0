"""The request quotas of AWS KMS, STS and CloudTrail, as AWS has them in a region. A table.

DIFFERS(aws): quota codes that AWS's documents do not show are ours, and so are the numbers of
ML-KEM. IAM publishes no numbers; its requests have those of the profile `open`.

Source: KMS Developer Guide, "Request quotas" and "Throttling AWS KMS requests"; IAM User Guide,
"IAM and AWS STS quotas"; CloudTrail User Guide, "Quotas in AWS CloudTrail".
"""

from collections.abc import Mapping
from typing import Final

from kagimori.rules.quotas.group import Group, code_of

_CODES: Final = {
    "CancelKeyDeletion": "L-635264CC",
    "ConnectCustomKeyStore": "L-705B9E79",
    "CreateAlias": "L-F7504F73",
    "CreateCustomKeyStore": "L-08932E37",
    "CreateGrant": "L-0428A42E",
    "CreateKey": "L-32B67F4A",
    "CryptographicOperationsEcc": "L-DC14942D",
    "CryptographicOperationsRsa": "L-2AC98190",
    "CryptographicOperationsSymmetric": "L-6E3AF000",
    "DeleteAlias": "L-1F75ADD1",
    "DeleteCustomKeyStore": "L-E99520CB",
    "DeleteImportedKeyMaterial": "L-1233BF9B",
    "DescribeCustomKeyStores": "L-E20AA94C",
    "DescribeKey": "L-FAE8F084",
    "DisableKey": "L-6B8C93BD",
    "DisableKeyRotation": "L-CE1DB614",
    "DisconnectCustomKeyStore": "L-9F1FCF6D",
    "EnableKey": "L-BD96F100",
    "EnableKeyRotation": "L-BE799B67",
    "GenerateDataKeyPairEccNistP256": "L-D2EEB5E0",
    "GenerateDataKeyPairEccNistP384": "L-16B46EF0",
    "GenerateDataKeyPairEccNistP521": "L-1D966DA0",
}

_RATES: Final[Mapping[float, tuple[str, ...]]] = {
    2000: ("DescribeKey", "GetPublicKey", "ListResourceTags"),
    1000: ("GetKeyPolicy", "GetKeyRotationStatus"),
    500: ("ListAliases", "ListKeys"),
    100: ("ListGrants", "ListKeyPolicies", "ListKeyRotations", "ListRetirableGrants"),
    50: ("CreateGrant", "RetireGrant", "RevokeGrant"),
    15: (
        "DeleteAlias", "DeleteImportedKeyMaterial", "EnableKeyRotation", "ImportKeyMaterial",
        "PutKeyPolicy", "ScheduleKeyDeletion",
    ),
    10: ("TagResource",),
    5: (
        "CancelKeyDeletion", "ConnectCustomKeyStore", "CreateAlias", "CreateCustomKeyStore",
        "CreateKey", "DeleteCustomKeyStore", "DescribeCustomKeyStores", "DisableKey",
        "DisableKeyRotation", "DisconnectCustomKeyStore", "EnableKey", "GetKeyLastUsage",
        "ReplicateKey", "RotateKeyOnDemand", "UntagResource", "UpdateAlias",
        "UpdateCustomKeyStore", "UpdateKeyDescription", "UpdatePrimaryRegion",
    ),
    1: ("GetParametersForImport",),
}  # fmt: skip

SYMMETRIC: Final = "CryptographicOperationsSymmetric"
RSA: Final = "CryptographicOperationsRsa"
ECC: Final = "CryptographicOperationsEcc"
ML_DSA: Final = "CryptographicOperationsMlDsa"
ML_KEM: Final = "CryptographicOperationsMlKem"
STS: Final = "StsRequests"
KEY_STORE: Final = "CustomKeyStore"
LOOK_UP_EVENTS: Final = "LookupEvents"

_MANY: Final = ("us-east-1", "us-west-2", "eu-west-1")
_MORE: Final = (
    "us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1", "eu-west-2",
)  # fmt: skip
_CHINA: Final = "cn-"
# RSA key pairs a second: elsewhere, and in China.
_RSA_PAIRS: Final = {"RSA_2048": (20.0, 1.0), "RSA_3072": (4.0, 0.5), "RSA_4096": (1.0, 0.1)}
_ECC_PAIRS: Final = (
    "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519",
)  # fmt: skip
_KEM_PAIRS: Final = ("ML_KEM_512", "ML_KEM_768", "ML_KEM_1024")
_PAIRS: Final = "GenerateDataKeyPair"

# The group of each key spec in cryptographic operations; all others are symmetric.
_PREFIXES: Final = (
    ("RSA_", RSA),
    ("ECC_", ECC),
    ("SM2", ECC),
    ("ML_DSA_", ML_DSA),
    ("ML_KEM_", ML_KEM),
)


def cryptographic_group(key_spec: str) -> str:
    """Return the key of the group in which a request with a key of this spec is counted."""
    return next((key for prefix, key in _PREFIXES if key_spec.startswith(prefix)), SYMMETRIC)


def pairs_group(key_spec: str) -> str:
    """Return the key of the group of data key pairs of this spec."""
    return _PAIRS + "".join(part.capitalize() for part in key_spec.split("_"))


def kms_groups(region: str) -> dict[str, Group]:
    """Return the groups of KMS in a region, by key."""
    symmetric = 100_000.0 if region in _MANY else 20_000.0 if region in _MORE else 10_000.0
    china = region.startswith(_CHINA)
    made = [
        _kms(SYMMETRIC, "Cryptographic operations (symmetric) request rate", symmetric),
        _kms(RSA, "Cryptographic operations (RSA) request rate", 1000),
        _kms(ECC, "Cryptographic operations (ECC) request rate", 1000),
        _kms(ML_DSA, "Cryptographic operations (ML-DSA) request rate", 1000),
        _kms(ML_KEM, "Cryptographic operations (ML-KEM) request rate", 1000),
        Group(
            KEY_STORE,
            "Custom key store request rate, of each store",
            "kms",
            1800.0,
            code_of("kms", KEY_STORE),
            adjustable=False,
        ),
    ]
    pairs = {spec: rates[china] for spec, rates in _RSA_PAIRS.items()}
    pairs |= dict.fromkeys((*_ECC_PAIRS, *_KEM_PAIRS), 100.0) | {"SM2": 25.0}
    made += [
        _kms(pairs_group(spec), f"{_PAIRS} ({spec}) request rate", rate)
        for spec, rate in pairs.items()
    ]
    made += [
        _kms(operation, f"{operation} request rate", rate)
        for rate, operations in _RATES.items()
        for operation in operations
    ]
    return {group.key: group for group in made}


def other_groups() -> dict[str, Group]:
    """Return the groups of STS and CloudTrail, by key."""
    made = (
        Group(STS, "Requests per second", "sts", 600.0, code_of("sts", STS)),
        Group(
            LOOK_UP_EVENTS,
            "LookupEvents request rate",
            "cloudtrail",
            2.0,
            code_of("cloudtrail", LOOK_UP_EVENTS),
        ),
    )
    return {group.key: group for group in made}


def _kms(key: str, name: str, rate: float) -> Group:
    return Group(key, name, "kms", rate, _CODES.get(key) or code_of("kms", key))
