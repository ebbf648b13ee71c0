"""The kinds of keys that CreateKey makes: spec, usage, origin and regionality that go together.

Source: KMS Developer Guide, "Key spec reference"; KMS API Reference, CreateKey.
"""

from typing import Final

SYMMETRIC: Final = "SYMMETRIC_DEFAULT"
ENCRYPT: Final = "ENCRYPT_DECRYPT"
SIGN: Final = "SIGN_VERIFY"
MAC: Final = "GENERATE_VERIFY_MAC"
AGREE: Final = "KEY_AGREEMENT"
ENCAPSULATE: Final = "ENCAPSULATE_DECAPSULATE"
USAGES: Final = (ENCRYPT, SIGN, MAC, AGREE, ENCAPSULATE)

AWS_KMS: Final = "AWS_KMS"
EXTERNAL: Final = "EXTERNAL"
CLOUDHSM: Final = "AWS_CLOUDHSM"
XKS: Final = "EXTERNAL_KEY_STORE"
KEY_STORE_ORIGINS: Final = (CLOUDHSM, XKS)

_RSA: Final = ("RSA_2048", "RSA_3072", "RSA_4096")
_NIST: Final = ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521")
_OTHER_CURVES: Final = ("ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519")
_HMAC: Final = ("HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512")
_ML_DSA: Final = ("ML_DSA_44", "ML_DSA_65", "ML_DSA_87")
_ML_KEM: Final = ("ML_KEM_768", "ML_KEM_1024")
KEY_SPECS: Final = (SYMMETRIC, *_RSA, *_NIST, *_OTHER_CURVES, *_HMAC, *_ML_DSA, *_ML_KEM)
_NOT_IMPORTED: Final = (*_ML_DSA, *_ML_KEM)

SPECS_OF: Final[dict[str, tuple[str, ...]]] = {
    ENCRYPT: (SYMMETRIC, *_RSA),
    SIGN: (*_RSA, *_NIST, *_OTHER_CURVES, *_ML_DSA),
    MAC: _HMAC,
    AGREE: _NIST,
    ENCAPSULATE: _ML_KEM,
}


def problem_of(
    *, spec: str, usage: str, origin: str, key_store: str, xks_key: str, multi_region: bool
) -> str | None:
    """Return the name of the rule that a choice breaks, None if CreateKey takes it."""
    if spec not in SPECS_OF.get(usage, ()):
        return "usage"
    if origin in KEY_STORE_ORIGINS:
        if spec != SYMMETRIC:
            return "store-spec"
        if multi_region:
            return "store-region"
        if not key_store:
            return "store"
        return "xks-key" if origin == XKS and not xks_key else None
    if origin == EXTERNAL:
        return "import" if spec in _NOT_IMPORTED else None
    return None if origin == AWS_KMS else "origin"
