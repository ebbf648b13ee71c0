"""Ed25519 keys: pure Ed25519 over a raw message, Ed25519ph over a digest.

The material is PKCS#8 DER. AWS KMS takes for Ed25519ph a 64-byte SHA-512 digest and hashes it once
more, as the algorithm prescribes; whoever verifies elsewhere gives the digest as the message.

Source: RFC 8032 sections 5.1 (Ed25519, Ed25519ph with an empty context); RFC 8410.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from nacl.bindings import (
    crypto_sign_ed25519ph_final_create,
    crypto_sign_ed25519ph_final_verify,
    crypto_sign_ed25519ph_state,
    crypto_sign_ed25519ph_update,
)
from nacl.exceptions import BadSignatureError

from kagimori_hsm.algorithms.specs import ED25519PH_DIGEST_BYTES, MessageType, spec_named
from kagimori_hsm.refused import Reason, Refused

SIGNATURE_BYTES: Final = 64


def generate(spec: str) -> bytes:
    """Return a new private key (PKCS#8 DER, 48 bytes)."""
    spec_named(spec)
    return private_der(ed25519.Ed25519PrivateKey.generate())


def load(spec: str, material: bytes) -> ed25519.Ed25519PrivateKey:
    """Return the key to operate with.

    Raises:
        Refused: INCORRECT_KEY_MATERIAL, not an Ed25519 private key.
    """
    spec_named(spec)
    try:
        key = serialization.load_der_private_key(material, None)
    except (ValueError, TypeError):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL) from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return key


def private_der(key: ed25519.Ed25519PrivateKey) -> bytes:
    """Return the private key as PKCS#8 DER, unencrypted: secret."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_key_der(key: ed25519.Ed25519PrivateKey) -> bytes:
    """Return the SubjectPublicKeyInfo (DER, 44 bytes)."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def sign(
    key: ed25519.Ed25519PrivateKey, algorithm: str, message_type: str, message: bytes
) -> bytes:
    """Return the signature (64 bytes).

    Raises:
        Refused: BAD_DIGEST_LENGTH; UNSUPPORTED, an unknown algorithm, or RAW and DIGEST confused.
    """
    if _is_pure(algorithm, message_type, message):
        return key.sign(message)
    public = key.public_key().public_bytes_raw()
    return crypto_sign_ed25519ph_final_create(_hashed(message), key.private_bytes_raw() + public)


def verify(
    key: ed25519.Ed25519PrivateKey,
    algorithm: str,
    message_type: str,
    message: bytes,
    signature: bytes,
) -> None:
    """Check that the signature is this key's over this message.

    Raises:
        Refused: INVALID_SIGNATURE; BAD_DIGEST_LENGTH; UNSUPPORTED, as for `sign`.
    """
    pure = _is_pure(algorithm, message_type, message)
    if len(signature) != SIGNATURE_BYTES:
        raise Refused(Reason.INVALID_SIGNATURE)
    public = key.public_key()
    try:
        if pure:
            public.verify(signature, message)
        else:
            crypto_sign_ed25519ph_final_verify(
                _hashed(message), signature, public.public_bytes_raw()
            )
    except (InvalidSignature, BadSignatureError):
        raise Refused(Reason.INVALID_SIGNATURE) from None


def _is_pure(algorithm: str, message_type: str, message: bytes) -> bool:
    match algorithm, message_type:
        case "ED25519_SHA_512", MessageType.RAW:
            return True
        case "ED25519_PH_SHA_512", MessageType.DIGEST:
            if len(message) != ED25519PH_DIGEST_BYTES:
                raise Refused(Reason.BAD_DIGEST_LENGTH)
            return False
        case _:
            raise Refused(Reason.UNSUPPORTED)


def _hashed(message: bytes) -> crypto_sign_ed25519ph_state:
    state = crypto_sign_ed25519ph_state()
    crypto_sign_ed25519ph_update(state, message)
    return state
