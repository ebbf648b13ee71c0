"""Rings of domain keys: one for each region, and one for what callers prove themselves by.

A ring has one current domain key, which wraps new tokens, and past ones, which still open theirs.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kagimori_boundary.commands import IDENTITY_DOMAIN
from kagimori_hsm.tokens import TokenRefused

DOMAIN_KEY_BYTES: Final = 32
DOMAIN_KEY_ID_BYTES: Final = 8
_IV_BYTES: Final = 12
_TOKEN_VERSION: Final = b"\x01"
_TOKEN_HEAD_BYTES: Final = 1 + DOMAIN_KEY_ID_BYTES + _IV_BYTES


class Ring:
    """The domain keys of one domain. It has no repr that shows them."""

    def __init__(self, current: bytes, keys: dict[bytes, bytes]) -> None:
        self._current = current
        self._keys = keys
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def create(cls) -> "Ring":
        key_id = os.urandom(DOMAIN_KEY_ID_BYTES)
        return cls(key_id, {key_id: os.urandom(DOMAIN_KEY_BYTES)})

    def wrap(self, secret: bytes, binding: bytes) -> bytes:
        """Return a token: `version | domain key id (8) | IV (12) | ciphertext | tag (16)`.

        INVARIANT(token-binding): what the token is for is authenticated with it.
        """
        head = _TOKEN_VERSION + self._current + os.urandom(_IV_BYTES)
        iv = head[-_IV_BYTES:]
        return head + self._ciphers[self._current].encrypt(iv, secret, head + binding)

    def unwrap(self, token: bytes, binding: bytes) -> bytes:
        """Return the secret in a token.

        Raises:
            TokenRefused: the token was not made by this ring for this binding.
        """
        head = token[:_TOKEN_HEAD_BYTES]
        cipher = self._ciphers.get(head[1 : 1 + DOMAIN_KEY_ID_BYTES])
        if head[:1] != _TOKEN_VERSION or len(head) < _TOKEN_HEAD_BYTES or cipher is None:
            raise TokenRefused
        try:
            return cipher.decrypt(head[-_IV_BYTES:], token[_TOKEN_HEAD_BYTES:], head + binding)
        except (InvalidTag, ValueError):
            raise TokenRefused from None

    def plain(self) -> tuple[bytes, dict[bytes, bytes]]:
        """Return the id of the current key and all keys, for a root to seal."""
        return self._current, self._keys


class Rings:
    """All rings of the module, by domain name; empty until it is unsealed."""

    def __init__(self) -> None:
        self._rings: dict[str, Ring] = {}

    def of(self, name: str) -> Ring:
        """Return the ring of a domain.

        Raises:
            TokenRefused: there is none.
        """
        ring = self._rings.get(name)
        if ring is None:
            raise TokenRefused
        return ring

    def identity(self) -> Ring:
        """Return the ring that seals what callers prove themselves by."""
        return self.of(IDENTITY_DOMAIN)

    def add(self, rings: Mapping[str, Ring]) -> None:
        self._rings.update(rings)

    def create(self, names: Iterable[str]) -> None:
        """Make the rings that do not exist yet."""
        for name in names:
            if name not in self._rings:
                self._rings[name] = Ring.create()

    def all(self) -> Mapping[str, Ring]:
        return self._rings

    def clear(self) -> None:
        self._rings.clear()
