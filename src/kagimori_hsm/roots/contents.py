"""The plain contents of sealed domains, as one value; and the cipher that each version seals with.

There is no repr that shows them.
"""

import os
from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from kagimori_hsm.ring import KeyLife, Ring

SALT_BYTES: Final = 16
IV_BYTES: Final = 12
KEY_BYTES: Final = 32


class SealRefused(Exception):
    """Sealed bytes do not open under this secret, or were altered."""


class SealedRing(msgspec.Struct, array_like=True, frozen=True):
    """One ring; what was sealed before rings had times ends after the keys."""

    current: bytes
    keys: dict[bytes, bytes]
    lives: dict[bytes, tuple[float, float | None]] = {}
    step: int = 0

    def __repr__(self) -> str:
        return "SealedRing()"

    @classmethod
    def of(cls, ring: Ring) -> "SealedRing":
        """Return a ring as it is sealed."""
        return cls(*ring.plain(), dict(ring.lives), ring.step)

    def ring(self) -> Ring:
        """Return the ring."""
        lives = {key_id: KeyLife(*life) for key_id, life in self.lives.items()}
        return Ring(self.current, self.keys, lives, self.step)


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is sealed together.

    `proof_keys` are of the seals, by their ids: with them the HSM shows each seal that a new root
    key comes from it. `further` holds what other parts of the HSM seal beside the rings, by name;
    each of them gives its bytes a form of its own.
    """

    operator_account_id: str = ""
    rings: Mapping[str, Ring] = {}
    proof_keys: Mapping[str, bytes] = {}
    further: Mapping[str, bytes] = {}

    def __repr__(self) -> str:
        return "Contents()"


def encrypt(plain: bytes, key: bytes, label: bytes, bound: bytes) -> bytes:
    """Return `salt (16) | IV (12) | ciphertext | tag`, authenticated with `bound`."""
    head = os.urandom(SALT_BYTES + IV_BYTES)
    return head + _cipher(head, key, label).encrypt(head[SALT_BYTES:], plain, bound + head)


def decrypt(encrypted: bytes, key: bytes, label: bytes, bound: bytes) -> bytes:
    """Return the plaintext of bytes that `encrypt` made.

    Raises:
        SealRefused: another key or label, or bytes that were altered.
    """
    head_end = SALT_BYTES + IV_BYTES
    head, rest = encrypted[:head_end], encrypted[head_end:]
    if len(head) < head_end:
        raise SealRefused
    try:
        return _cipher(head, key, label).decrypt(head[SALT_BYTES:], rest, bound + head)
    except (InvalidTag, ValueError):
        raise SealRefused from None


def _cipher(head: bytes, key: bytes, label: bytes) -> AESGCM:
    derived = KBKDFHMAC(  # NIST SP 800-108, counter mode
        algorithm=hashes.SHA256(),
        mode=Mode.CounterMode,
        length=KEY_BYTES,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=head[:SALT_BYTES],
        fixed=None,
    ).derive(key)
    return AESGCM(derived)
