"""The root that is a file: all rings sealed together under the deployment's seal key.

The operators' account is sealed with them, so that nobody can name another one who cannot seal.
The service keeps the sealed bytes, and cannot open them.
"""

import os
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from kagimori_hsm.ring import KeyLife, Ring

_IV_BYTES: Final = 12
_SALT_BYTES: Final = 16
_RINGS_ALONE: Final = b"\x01"  # as it was before the operators' account was sealed with them
_SEAL_VERSION: Final = b"\x02"


class SealRefused(Exception):
    """The sealed domains do not open under this seal key, or were altered."""


class _SealedRing(msgspec.Struct, array_like=True, frozen=True):
    """One ring; what was sealed before rings had times ends after the keys."""

    current: bytes
    keys: dict[bytes, bytes]
    lives: dict[bytes, tuple[float, float | None]] = {}
    step: int = 0


class _Sealed(msgspec.Struct, array_like=True, frozen=True):
    operator_account_id: str
    rings: dict[str, _SealedRing]


class Unsealed(NamedTuple):
    """The content of a sealed blob; no account in one that was made before it held any."""

    operator_account_id: str
    rings: dict[str, Ring]


_decode_rings = msgspec.msgpack.Decoder(dict[str, _SealedRing]).decode
_decode_sealed = msgspec.msgpack.Decoder(_Sealed).decode


def seal(rings: Mapping[str, Ring], seal_key: bytes, operator_account_id: str = "") -> bytes:
    """Return all rings under the seal key: `version | salt (16) | IV (12) | ciphertext | tag`."""
    sealed = {
        name: _SealedRing(*ring.plain(), dict(ring.lives), ring.step)
        for name, ring in sorted(rings.items())
    }
    plain = _Sealed(operator_account_id, sealed)
    head = _SEAL_VERSION + os.urandom(_SALT_BYTES + _IV_BYTES)
    cipher, iv = _seal_cipher(head, seal_key)
    return head + cipher.encrypt(iv, msgspec.msgpack.encode(plain), head)


def unseal(sealed_domains: bytes, seal_key: bytes) -> Unsealed:
    """Return the operators' account and the rings in a sealed blob.

    Raises:
        SealRefused: another seal key, an altered blob, or one of a newer version.
    """
    head_bytes = 1 + _SALT_BYTES + _IV_BYTES
    head = sealed_domains[:head_bytes]
    version = head[:1]
    if version not in (_RINGS_ALONE, _SEAL_VERSION) or len(head) < head_bytes:
        raise SealRefused
    cipher, iv = _seal_cipher(head, seal_key)
    try:
        plain = cipher.decrypt(iv, sealed_domains[head_bytes:], head)
        sealed = (
            _decode_sealed(plain) if version == _SEAL_VERSION else _Sealed("", _decode_rings(plain))
        )
    except (InvalidTag, ValueError):  # msgspec's refusals are ValueErrors
        raise SealRefused from None
    rings = {
        name: Ring(
            ring.current,
            ring.keys,
            {key_id: KeyLife(*life) for key_id, life in ring.lives.items()},
            ring.step,
        )
        for name, ring in sealed.rings.items()
    }
    return Unsealed(sealed.operator_account_id, rings)


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
