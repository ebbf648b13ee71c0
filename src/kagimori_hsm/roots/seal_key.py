"""The root that is a file: all rings sealed together under the deployment's seal key.

What is sealed is kept by the service, which cannot open it.
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

_IV_BYTES: Final = 12
_SALT_BYTES: Final = 16
_SEAL_VERSION: Final = b"\x01"


class SealRefused(Exception):
    """The sealed domains do not open under this seal key, or were altered."""


class _SealedRing(msgspec.Struct, array_like=True, frozen=True):
    """One ring; what was sealed before rings had times ends after the keys."""

    current: bytes
    keys: dict[bytes, bytes]
    lives: dict[bytes, tuple[float, float | None]] = {}
    step: int = 0


_decode_rings = msgspec.msgpack.Decoder(dict[str, _SealedRing]).decode


def seal(rings: Mapping[str, Ring], seal_key: bytes) -> bytes:
    """Return all rings under the seal key: `version | salt (16) | IV (12) | ciphertext | tag`."""
    plain = {
        name: _SealedRing(*ring.plain(), dict(ring.lives), ring.step)
        for name, ring in sorted(rings.items())
    }
    head = _SEAL_VERSION + os.urandom(_SALT_BYTES + _IV_BYTES)
    cipher, iv = _seal_cipher(head, seal_key)
    return head + cipher.encrypt(iv, msgspec.msgpack.encode(plain), head)


def unseal(sealed_domains: bytes, seal_key: bytes) -> dict[str, Ring]:
    """Return the rings in a sealed blob.

    Raises:
        SealRefused: another seal key, an altered blob, or one of a newer version.
    """
    head_bytes = 1 + _SALT_BYTES + _IV_BYTES
    head = sealed_domains[:head_bytes]
    if head[:1] != _SEAL_VERSION or len(head) < head_bytes:
        raise SealRefused
    cipher, iv = _seal_cipher(head, seal_key)
    try:
        plain = cipher.decrypt(iv, sealed_domains[head_bytes:], head)
        rings = _decode_rings(plain)
    except (InvalidTag, ValueError):  # msgspec's refusals are ValueErrors
        raise SealRefused from None
    return {
        name: Ring(
            ring.current,
            ring.keys,
            {key_id: KeyLife(*life) for key_id, life in ring.lives.items()},
            ring.step,
        )
        for name, ring in rings.items()
    }


def _seal_cipher(head: bytes, seal_key: bytes) -> tuple[AESGCM, bytes]:
    salt, iv = head[1 : 1 + _SALT_BYTES], head[-_IV_BYTES:]
    derived = KBKDFHMAC(  # NIST SP 800-108, counter mode
        algorithm=hashes.SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=b"kagimori domain seal v1",
        context=salt,
        fixed=None,
    ).derive(seal_key)
    return AESGCM(derived), iv
