"""Symmetric encryption: a fresh key for each ciphertext, then AES-256-GCM under it.

Knows nothing of the ciphertext's header but that it is authenticated. No randomness is drawn here,
except for a new key: the nonce and the IV are handed in, and must be fresh for each encryption.

Source: NIST SP 800-108r1 section 4.1 (KDF in counter mode), SP 800-38D (GCM); AWS KMS
Cryptographic Details, "Encrypt".
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from kagimori_hsm.refused import Reason, Refused

BACKING_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 16
IV_BYTES: Final = 12
TAG_BYTES: Final = 16

# SP 800-108 fixed input: label, a zero byte, context (the nonce N), the length 256 in 32 bits.
LABEL: Final = b"kagimori encrypt v1"


def generate() -> bytes:
    """Return a new backing key (32 random bytes)."""
    return os.urandom(BACKING_KEY_BYTES)


def encrypt(  # one statement of what is bound together
    backing_key: bytes, *, header: bytes, aad: bytes, nonce16: bytes, iv12: bytes, plaintext: bytes
) -> bytes:
    """Return ciphertext and tag (`len(plaintext) + 16` bytes).

    `header` must be of a length that its own first byte fixes, so that header and `aad`, which are
    joined, cannot be divided in two ways.

    Raises:
        ValueError: backing key, nonce or IV has the wrong length (a fault of the caller's).
    """
    if len(iv12) != IV_BYTES:
        raise ValueError("the IV must be 12 bytes")
    return AESGCM(_one_key(backing_key, nonce16)).encrypt(iv12, plaintext, header + aad)


def decrypt(
    backing_key: bytes, *, header: bytes, aad: bytes, nonce16: bytes, iv12: bytes, ciphertext: bytes
) -> bytes:
    """Return the plaintext of ciphertext and tag.

    Raises:
        Refused: INVALID_CIPHERTEXT, if anything at all differs from what was encrypted.
        ValueError: the backing key has the wrong length (a fault of the caller's).
    """
    if len(nonce16) != NONCE_BYTES or len(iv12) != IV_BYTES or len(ciphertext) < TAG_BYTES:
        raise Refused(Reason.INVALID_CIPHERTEXT)
    try:
        return AESGCM(_one_key(backing_key, nonce16)).decrypt(iv12, ciphertext, header + aad)
    except InvalidTag:
        raise Refused(Reason.INVALID_CIPHERTEXT) from None


def _one_key(backing_key: bytes, nonce16: bytes) -> bytes:
    """Return K (32 bytes): counter mode, HMAC-SHA-256, 32-bit counter before the fixed input."""
    if len(backing_key) != BACKING_KEY_BYTES or len(nonce16) != NONCE_BYTES:
        raise ValueError("a backing key is 32 bytes, a nonce 16")
    return KBKDFHMAC(
        algorithm=SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=LABEL,
        context=nonce16,
        fixed=None,
    ).derive(backing_key)
