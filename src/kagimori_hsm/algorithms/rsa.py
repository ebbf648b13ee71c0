"""RSA keys: OAEP encryption, PKCS#1 v1.5 and PSS signatures.

The material is PKCS#8 DER. MGF1 uses the hash of the scheme, the OAEP label is empty, and a PSS
salt is as long as the digest, in signing and in verifying.

Source: RFC 8017 (PKCS #1 v2.2) sections 7.1, 8.1, 8.2; NIST FIPS 186-5 section 5; SP 800-56B.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from kagimori_hsm.algorithms.specs import MessageType, spec_named
from kagimori_hsm.refused import Reason, Refused

EXPONENT: Final = 65537

_OAEP_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "RSAES_OAEP_SHA_1": hashes.SHA1(),  # SP 800-131A allows it here
    "RSAES_OAEP_SHA_256": hashes.SHA256(),
}
_SIGNING_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "SHA_256": hashes.SHA256(),
    "SHA_384": hashes.SHA384(),
    "SHA_512": hashes.SHA512(),
}
_PKCS1: Final = "RSASSA_PKCS1_V1_5_"
_PSS: Final = "RSASSA_PSS_"


def generate(spec: str) -> bytes:
    """Return a new private key (PKCS#8 DER), exponent 65537.

    Takes 0.05 to 2 s, without the interpreter's lock.
    """
    return private_der(rsa.generate_private_key(EXPONENT, spec_named(spec).bits))


def load(spec: str, material: bytes) -> rsa.RSAPrivateKey:
    """Return the key to operate with; its primes are trusted, not checked again.

    The check costs up to 0.2 s and is made once, when material is imported (`importing.py`); what
    comes here was made or checked by us and kept under authenticated encryption.

    Raises:
        Refused: INCORRECT_KEY_MATERIAL, not an RSA key of this size.
    """
    try:
        key = serialization.load_der_private_key(
            material, None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL) from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != spec_named(spec).bits:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return key


def is_valid_pair(der: bytes) -> bool:
    """Return whether a PKCS#8 DER is an RSA pair whose numbers fit and whose primes are prime.

    Takes up to 0.2 s, and holds the interpreter's lock as long.
    """
    try:
        key = serialization.load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, rsa.RSAPrivateKey)


def private_der(key: rsa.RSAPrivateKey) -> bytes:
    """Return the private key as PKCS#8 DER, unencrypted: secret."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_key_der(key: rsa.RSAPrivateKey) -> bytes:
    """Return the SubjectPublicKeyInfo (DER)."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def encrypt(key: rsa.RSAPrivateKey, algorithm: str, plaintext: bytes) -> bytes:
    """Return the OAEP ciphertext (as long as the modulus).

    Raises:
        Refused: TOO_LONG, over k - 2 hLen - 2 bytes; UNSUPPORTED, for an unknown algorithm.
    """
    scheme = oaep(algorithm)
    if len(plaintext) > key.key_size // 8 - 2 * _OAEP_HASHES[algorithm].digest_size - 2:
        raise Refused(Reason.TOO_LONG)
    return key.public_key().encrypt(plaintext, scheme)


def decrypt(key: rsa.RSAPrivateKey, algorithm: str, ciphertext: bytes) -> bytes:
    """Return the plaintext of an OAEP ciphertext.

    Raises:
        Refused: INVALID_CIPHERTEXT, whatever is wrong with it; UNSUPPORTED, unknown algorithm.
    """
    scheme = oaep(algorithm)
    try:
        return key.decrypt(ciphertext, scheme)
    except ValueError:
        raise Refused(Reason.INVALID_CIPHERTEXT) from None


def sign(key: rsa.RSAPrivateKey, algorithm: str, message_type: str, message: bytes) -> bytes:
    """Return the signature (as long as the modulus).

    Raises:
        Refused: BAD_DIGEST_LENGTH; UNSUPPORTED, for an unknown algorithm or message type.
    """
    scheme, digest = _scheme(algorithm, message_type, message)
    return key.sign(message, scheme, digest)


def verify(
    key: rsa.RSAPrivateKey, algorithm: str, message_type: str, message: bytes, signature: bytes
) -> None:
    """Check that the signature is this key's over this message.

    Raises:
        Refused: INVALID_SIGNATURE; BAD_DIGEST_LENGTH; UNSUPPORTED, unknown algorithm or type.
    """
    scheme, digest = _scheme(algorithm, message_type, message)
    try:
        key.public_key().verify(signature, message, scheme, digest)
    except InvalidSignature:
        raise Refused(Reason.INVALID_SIGNATURE) from None


def oaep(algorithm: str) -> padding.OAEP:
    """Return the OAEP scheme of this name: MGF1 with the same hash, no label.

    Raises:
        Refused: UNSUPPORTED, for an unknown algorithm.
    """
    digest = _OAEP_HASHES.get(algorithm)
    if digest is None:
        raise Refused(Reason.UNSUPPORTED)
    return padding.OAEP(padding.MGF1(digest), digest, None)


def _scheme(
    algorithm: str, message_type: str, message: bytes
) -> tuple[padding.AsymmetricPadding, hashes.HashAlgorithm | Prehashed]:
    prefix = _PSS if algorithm.startswith(_PSS) else _PKCS1
    digest = _SIGNING_HASHES.get(algorithm.removeprefix(prefix))
    if digest is None:
        raise Refused(Reason.UNSUPPORTED)
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if prefix == _PSS:
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return scheme, hash_or_prehashed(digest, message_type, message)


def hash_or_prehashed(
    digest: hashes.HashAlgorithm, message_type: str, message: bytes
) -> hashes.HashAlgorithm | Prehashed:
    """Return the hash argument of the library: to hash the message, or that it is a digest.

    Raises:
        Refused: BAD_DIGEST_LENGTH, a DIGEST not of the hash's length; UNSUPPORTED, another type.
    """
    match message_type:
        case MessageType.RAW:
            return digest
        case MessageType.DIGEST if len(message) == digest.digest_size:
            return Prehashed(digest)
        case MessageType.DIGEST:
            raise Refused(Reason.BAD_DIGEST_LENGTH)
        case _:
            raise Refused(Reason.UNSUPPORTED)
