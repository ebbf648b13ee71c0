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
from cryptography.hazmat.primitives.hmac import HMAC

from kagimori_hsm.refused import Reason, Refused

BACKING_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 16
IV_BYTES: Final = 12
TAG_BYTES: Final = 16

# SP 800-108 in counter mode, whose one block is all of K: the counter 1 in 32 bits, then the fixed
# input: label, a zero byte, context (the nonce N), the length 256 in 32 bits.
LABEL: Final = b"kagimori encrypt v1"
_BEFORE_NONCE: Final = b"\x00\x00\x00\x01" + LABEL + b"\x00"
_AFTER_NONCE: Final = b"\x00\x00\x01\x00"


def generate() -> bytes:
    """Return a new backing key (32 random bytes)."""
    return os.urandom(BACKING_KEY_BYTES)


class Cipher:
    """Encrypts and decrypts under keys that are derived from one backing key.

    HMAC is keyed once: that is most of the cost of deriving a key. Its repr shows nothing.
    """

    __slots__ = ("_keyed",)

    def __init__(self, backing_key: bytes) -> None:
        """Take a backing key.

        Raises:
            ValueError: it has the wrong length (a fault of the caller's).
        """
        if len(backing_key) != BACKING_KEY_BYTES:
            raise ValueError("a backing key is 32 bytes")
        self._keyed = HMAC(backing_key, SHA256())

    def encrypt(
        self, *, header: bytes, aad: bytes, nonce16: bytes, iv12: bytes, plaintext: bytes
    ) -> bytes:
        """Return ciphertext and tag (`len(plaintext) + 16` bytes).

        `header` must be of a length that its own first byte fixes, so that header and `aad`, which
        are joined, cannot be divided in two ways.

        Raises:
            ValueError: nonce or IV has the wrong length (a fault of the caller's).
        """
        if len(nonce16) != NONCE_BYTES or len(iv12) != IV_BYTES:
            raise ValueError("a nonce is 16 bytes, an IV 12")
        return AESGCM(self._one_key(nonce16)).encrypt(iv12, plaintext, header + aad)

    def decrypt(
        self, *, header: bytes, aad: bytes, nonce16: bytes, iv12: bytes, ciphertext: bytes
    ) -> bytes:
        """Return the plaintext of ciphertext and tag.

        Raises:
            Refused: INVALID_CIPHERTEXT, if anything at all differs from what was encrypted.
        """
        if len(nonce16) != NONCE_BYTES or len(iv12) != IV_BYTES or len(ciphertext) < TAG_BYTES:
            raise Refused(Reason.INVALID_CIPHERTEXT)
        try:
            return AESGCM(self._one_key(nonce16)).decrypt(iv12, ciphertext, header + aad)
        except InvalidTag:
            raise Refused(Reason.INVALID_CIPHERTEXT) from None

    def _one_key(self, nonce16: bytes) -> bytes:
        """Return K (32 bytes): counter mode, HMAC-SHA-256, counter before the fixed input."""
        running = self._keyed.copy()
        running.update(_BEFORE_NONCE + nonce16 + _AFTER_NONCE)
        return running.finalize()
