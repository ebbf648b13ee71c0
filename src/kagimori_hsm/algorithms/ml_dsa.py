"""ML-DSA keys: signatures over a raw message, or over a mu that the caller computed.

The material is PKCS#8 DER in the seed form (54 bytes, 32 of them the seed). The context string is
empty, and signing is hedged (randomised), as `cryptography` does it.

Source: NIST FIPS 204; RFC 9881 (the encodings).
"""

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

from kagimori_hsm.algorithms.specs import EXTERNAL_MU_BYTES, MessageType
from kagimori_hsm.refused import Reason, Refused

MlDsaKey = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey

_ALGORITHM: Final = "ML_DSA_SHAKE_256"
_KINDS: Final[Mapping[str, type[MlDsaKey]]] = {
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
}


def generate(spec: str) -> bytes:
    """Return a new private key (PKCS#8 DER, seed form)."""
    return private_der(_kind(spec).generate())


def load(spec: str, material: bytes) -> MlDsaKey:
    """Return the key to operate with: the seed expanded, about 0.1 ms.

    Raises:
        Refused: INCORRECT_KEY_MATERIAL, not an ML-DSA private key of this parameter set.
    """
    kind = _kind(spec)
    try:
        key = serialization.load_der_private_key(material, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL) from None
    if not isinstance(key, kind):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return key


def private_der(key: MlDsaKey) -> bytes:
    """Return the private key as PKCS#8 DER in seed form, unencrypted: secret."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_key_der(key: MlDsaKey) -> bytes:
    """Return the SubjectPublicKeyInfo (DER)."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def sign(key: MlDsaKey, algorithm: str, message_type: str, message: bytes) -> bytes:
    """Return the signature (2420, 3309 or 4627 bytes).

    Raises:
        Refused: BAD_DIGEST_LENGTH, a mu not of 64 bytes; UNSUPPORTED, DIGEST or another algorithm.
    """
    if _is_mu(algorithm, message_type, message):
        return key.sign_mu(message)
    return key.sign(message)


def verify(
    key: MlDsaKey, algorithm: str, message_type: str, message: bytes, signature: bytes
) -> None:
    """Check that the signature is this key's over this message (or mu).

    Raises:
        Refused: INVALID_SIGNATURE; BAD_DIGEST_LENGTH; UNSUPPORTED, as for `sign`.
    """
    is_mu = _is_mu(algorithm, message_type, message)
    public = key.public_key()
    try:
        if is_mu:
            public.verify_mu(signature, message)
        else:
            public.verify(signature, message)
    except InvalidSignature:
        raise Refused(Reason.INVALID_SIGNATURE) from None


def _kind(spec: str) -> type[MlDsaKey]:
    try:
        return _KINDS[spec]
    except KeyError:
        raise Refused(Reason.UNSUPPORTED) from None


def _is_mu(algorithm: str, message_type: str, message: bytes) -> bool:
    if algorithm != _ALGORITHM:
        raise Refused(Reason.UNSUPPORTED)
    match message_type:
        case MessageType.RAW:
            return False
        case MessageType.EXTERNAL_MU:
            if len(message) != EXTERNAL_MU_BYTES:
                raise Refused(Reason.BAD_DIGEST_LENGTH)
            return True
        case _:
            raise Refused(Reason.UNSUPPORTED)
