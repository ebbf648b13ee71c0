"""ML-KEM keys: encapsulate to one's own public key, decapsulate with the private one.

The material is PKCS#8 DER in the seed form (86 bytes, 64 of them the seed d and z). ML-KEM-512 is
absent: `cryptography` does not offer it.

Source: NIST FIPS 203; RFC 9935 (the encodings).
"""

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mlkem

from kagimori_hsm.refused import Reason, Refused

MlKemKey = mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey

_ALGORITHM: Final = "ML_KEM"
_KINDS: Final[Mapping[str, type[MlKemKey]]] = {
    "ML_KEM_768": mlkem.MLKEM768PrivateKey,
    "ML_KEM_1024": mlkem.MLKEM1024PrivateKey,
}


def generate(spec: str) -> bytes:
    """Return a new private key (PKCS#8 DER, seed form)."""
    return private_der(_kind(spec).generate())


def load(spec: str, material: bytes) -> MlKemKey:
    """Return the key to operate with: the seed expanded, about 0.1 ms.

    Raises:
        Refused: INCORRECT_KEY_MATERIAL, not an ML-KEM private key of this parameter set.
    """
    kind = _kind(spec)
    try:
        key = serialization.load_der_private_key(material, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL) from None
    if not isinstance(key, kind):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return key


def private_der(key: MlKemKey) -> bytes:
    """Return the private key as PKCS#8 DER in seed form, unencrypted: secret."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_key_der(key: MlKemKey) -> bytes:
    """Return the SubjectPublicKeyInfo (DER)."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def encapsulate(key: MlKemKey, algorithm: str) -> tuple[bytes, bytes]:
    """Return a shared secret (32 bytes) and its ciphertext (1088 or 1568 bytes).

    Raises:
        Refused: UNSUPPORTED, another algorithm.
    """
    if algorithm != _ALGORITHM:
        raise Refused(Reason.UNSUPPORTED)
    return key.public_key().encapsulate()


def decapsulate(key: MlKemKey, algorithm: str, ciphertext: bytes) -> bytes:
    """Return the shared secret (32 bytes); for a wrong ciphertext, a pseudo-random one.

    Raises:
        Refused: INVALID_CIPHERTEXT, of the wrong length; UNSUPPORTED, another algorithm.
    """
    if algorithm != _ALGORITHM:
        raise Refused(Reason.UNSUPPORTED)
    try:
        return key.decapsulate(ciphertext)
    except ValueError:
        raise Refused(Reason.INVALID_CIPHERTEXT) from None


def _kind(spec: str) -> type[MlKemKey]:
    try:
        return _KINDS[spec]
    except KeyError:
        raise Refused(Reason.UNSUPPORTED) from None
