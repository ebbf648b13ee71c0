"""Message authentication codes: HMAC with SHA-2, the key's spec fixing the hash.

The material of a key is its raw bytes; imported material may be longer than generated (up to 128).

Source: NIST FIPS 198-1; RFC 2104.
"""

import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from kagimori_hsm.algorithms.specs import HMAC_MATERIAL_BYTES_MAX, spec_named
from kagimori_hsm.refused import Reason, Refused

_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "HMAC_SHA_224": hashes.SHA224(),
    "HMAC_SHA_256": hashes.SHA256(),
    "HMAC_SHA_384": hashes.SHA384(),
    "HMAC_SHA_512": hashes.SHA512(),
}


def generate(spec: str) -> bytes:
    """Return new material: 28, 32, 48 or 64 random bytes, by spec."""
    return os.urandom(spec_named(spec).material_bytes)


def load(spec: str, material: bytes) -> bytes:
    """Return the material itself, once its length is right for the spec.

    Raises:
        Refused: INCORRECT_KEY_MATERIAL, shorter than the spec or longer than 128 bytes.
    """
    if not spec_named(spec).material_bytes <= len(material) <= HMAC_MATERIAL_BYTES_MAX:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return material


def mac(material: bytes, algorithm: str, message: bytes) -> bytes:
    """Return the whole MAC (28, 32, 48 or 64 bytes).

    Raises:
        Refused: UNSUPPORTED, for an unknown algorithm.
    """
    return _begun(material, algorithm, message).finalize()


def verify(material: bytes, algorithm: str, message: bytes, tag: bytes) -> None:
    """Compare in constant time; a shortened MAC is refused.

    Raises:
        Refused: INVALID_MAC; UNSUPPORTED, for an unknown algorithm.
    """
    try:
        _begun(material, algorithm, message).verify(tag)
    except InvalidSignature:
        raise Refused(Reason.INVALID_MAC) from None


def _begun(material: bytes, algorithm: str, message: bytes) -> HMAC:
    digest = _HASHES.get(algorithm)
    if digest is None:
        raise Refused(Reason.UNSUPPORTED)
    running = HMAC(material, digest)
    running.update(message)
    return running
