"""The key specs of AWS KMS as one table: what each may be used for, and with which algorithms.

It is not the list of what a caller may ask (that is the service model's): ML_KEM_512, SM2 and the
algorithms around them are absent, because `cryptography` does not offer them.

Source: AWS KMS Developer Guide, "Key spec reference"; API Reference, CreateKey, Encrypt, Sign.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

PLAINTEXT_BYTES_MAX: Final = 4096
MESSAGE_BYTES_MAX: Final = 4096
HMAC_MATERIAL_BYTES_MAX: Final = 128
ED25519PH_DIGEST_BYTES: Final = 64
EXTERNAL_MU_BYTES: Final = 64
ML_KEM_SHARED_SECRET_BYTES: Final = 32


@unique
class Family(StrEnum):
    """Specs that share one implementation; each has a file of the same stem."""

    SYMMETRIC = "symmetric"
    RSA = "rsa"
    ELLIPTIC = "elliptic"
    EDWARDS = "edwards"
    MAC = "mac"
    ML_DSA = "ml_dsa"
    ML_KEM = "ml_kem"


@unique
class KeyUsage(StrEnum):
    """AWS's KeyUsage, unchanged."""

    ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
    SIGN_VERIFY = "SIGN_VERIFY"
    GENERATE_VERIFY_MAC = "GENERATE_VERIFY_MAC"
    KEY_AGREEMENT = "KEY_AGREEMENT"
    ENCAPSULATE_DECAPSULATE = "ENCAPSULATE_DECAPSULATE"


@unique
class MessageType(StrEnum):
    """The interpretation of the bytes to sign: message, digest or external mu."""

    RAW = "RAW"
    DIGEST = "DIGEST"
    EXTERNAL_MU = "EXTERNAL_MU"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """A key spec: its algorithms, sizes and properties.

    `algorithms` maps each allowed usage to its algorithm names, in AWS's order.
    `bits`: modulus or field size, 0 where the word says nothing. `material_bytes`: the length of
    generated raw material, 0 for what is held as PKCS#8. `mac_bytes`, `signature_bytes`,
    `ciphertext_bytes`: fixed output lengths, 0 where there is none. `plaintext_bytes_max`: by
    encryption algorithm.
    """

    name: str
    family: Family
    algorithms: Mapping[KeyUsage, tuple[str, ...]]
    bits: int = 0
    material_bytes: int = 0
    mac_bytes: int = 0
    signature_bytes: int = 0
    ciphertext_bytes: int = 0
    plaintext_bytes_max: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    importable: bool = True
    data_key_pair: bool = False

    @property
    def is_slow_to_make(self) -> bool:
        """Return whether generating such a key is slow (primes), so that others must not wait."""
        return self.family is Family.RSA

    @property
    def usages(self) -> tuple[KeyUsage, ...]:
        return tuple(self.algorithms)

    def allows(self, usage: KeyUsage, algorithm: str) -> bool:
        """Return whether `algorithm` belongs to this spec when it is used for `usage`."""
        return algorithm in self.algorithms.get(usage, ())


RSA_ENCRYPTION: Final = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
RSA_SIGNING: Final = (
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
)


def _rsa(bits: int, oaep_sha_1_max: int, oaep_sha_256_max: int) -> KeySpec:
    return KeySpec(
        name=f"RSA_{bits}",
        family=Family.RSA,
        algorithms={
            KeyUsage.ENCRYPT_DECRYPT: RSA_ENCRYPTION,
            KeyUsage.SIGN_VERIFY: RSA_SIGNING,
        },
        bits=bits,
        signature_bytes=bits // 8,
        ciphertext_bytes=bits // 8,
        plaintext_bytes_max={
            "RSAES_OAEP_SHA_1": oaep_sha_1_max,
            "RSAES_OAEP_SHA_256": oaep_sha_256_max,
        },
        data_key_pair=True,
    )


def _nist_curve(bits: int, signing: str) -> KeySpec:
    return KeySpec(
        name=f"ECC_NIST_P{bits}",
        family=Family.ELLIPTIC,
        algorithms={KeyUsage.SIGN_VERIFY: (signing,), KeyUsage.KEY_AGREEMENT: ("ECDH",)},
        bits=bits,
        data_key_pair=True,
    )


def _hmac(bits: int) -> KeySpec:
    return KeySpec(
        name=f"HMAC_{bits}",
        family=Family.MAC,
        algorithms={KeyUsage.GENERATE_VERIFY_MAC: (f"HMAC_SHA_{bits}",)},
        bits=bits,
        material_bytes=bits // 8,
        mac_bytes=bits // 8,
    )


def _ml_dsa(name: str, signature_bytes: int) -> KeySpec:
    return KeySpec(
        name=name,
        family=Family.ML_DSA,
        algorithms={KeyUsage.SIGN_VERIFY: ("ML_DSA_SHAKE_256",)},
        signature_bytes=signature_bytes,
        importable=False,
    )


def _ml_kem(name: str, ciphertext_bytes: int) -> KeySpec:
    return KeySpec(
        name=name,
        family=Family.ML_KEM,
        algorithms={KeyUsage.ENCAPSULATE_DECAPSULATE: ("ML_KEM",)},
        ciphertext_bytes=ciphertext_bytes,
        importable=False,
        data_key_pair=True,
    )


_ALL: Final = (
    KeySpec(
        name="SYMMETRIC_DEFAULT",
        family=Family.SYMMETRIC,
        algorithms={KeyUsage.ENCRYPT_DECRYPT: ("SYMMETRIC_DEFAULT",)},
        bits=256,
        material_bytes=32,
        plaintext_bytes_max={"SYMMETRIC_DEFAULT": PLAINTEXT_BYTES_MAX},
    ),
    _rsa(2048, 214, 190),
    _rsa(3072, 342, 318),
    _rsa(4096, 470, 446),
    _nist_curve(256, "ECDSA_SHA_256"),
    _nist_curve(384, "ECDSA_SHA_384"),
    _nist_curve(521, "ECDSA_SHA_512"),
    KeySpec(
        name="ECC_SECG_P256K1",
        family=Family.ELLIPTIC,
        algorithms={KeyUsage.SIGN_VERIFY: ("ECDSA_SHA_256",)},
        bits=256,
        data_key_pair=True,
    ),
    KeySpec(
        name="ECC_NIST_EDWARDS25519",
        family=Family.EDWARDS,
        algorithms={KeyUsage.SIGN_VERIFY: ("ED25519_SHA_512", "ED25519_PH_SHA_512")},
        bits=256,
        signature_bytes=64,
        data_key_pair=True,
    ),
    _hmac(224),
    _hmac(256),
    _hmac(384),
    _hmac(512),
    _ml_dsa("ML_DSA_44", 2420),
    _ml_dsa("ML_DSA_65", 3309),
    _ml_dsa("ML_DSA_87", 4627),
    _ml_kem("ML_KEM_768", 1088),
    _ml_kem("ML_KEM_1024", 1568),
)

SPECS: Final[Mapping[str, KeySpec]] = MappingProxyType({spec.name: spec for spec in _ALL})
