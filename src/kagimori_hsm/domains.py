"""Domains: the domain keys of each region, and how they survive a restart.

A domain has one current domain key, which wraps new tokens, and past ones, which still open
theirs. All domains are sealed together under the deployment's seal key; what is sealed is kept by
the service, which cannot open it.
"""

import os
from struct import pack
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from kagimori_boundary.messages import IDENTITY_DOMAIN

DOMAIN_KEY_BYTES: Final = 32
DOMAIN_KEY_ID_BYTES: Final = 8
_IV_BYTES: Final = 12
_SALT_BYTES: Final = 16
_SEAL_VERSION: Final = b"\x01"
_TOKEN_VERSION: Final = b"\x01"
_TOKEN_HEAD_BYTES: Final = 1 + DOMAIN_KEY_ID_BYTES + _IV_BYTES


class SealRefused(Exception):
    """The sealed domains do not open under this seal key, or were altered."""


class TokenRefused(Exception):
    """The token does not open: altered, of another domain, or bound to something else."""


class Domain:
    """The domain keys of one domain. It has no repr that shows them."""

    def __init__(self, current: bytes, keys: dict[bytes, bytes]) -> None:
        self._current = current
        self._keys = keys
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def create(cls) -> "Domain":
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
            TokenRefused: the token was not made by this domain for this binding.
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
        return self._current, self._keys


class _SealedDomain(msgspec.Struct, array_like=True, frozen=True):
    current: bytes
    keys: dict[bytes, bytes]


_decode_domains = msgspec.msgpack.Decoder(dict[str, _SealedDomain]).decode


def seal(domains: dict[str, Domain], seal_key: bytes) -> bytes:
    """Return all domains under the seal key: `version | salt (16) | IV (12) | ciphertext | tag`."""
    plain = {name: _SealedDomain(*domain.plain()) for name, domain in sorted(domains.items())}
    head = _SEAL_VERSION + os.urandom(_SALT_BYTES + _IV_BYTES)
    cipher, iv = _seal_cipher(head, seal_key)
    return head + cipher.encrypt(iv, msgspec.msgpack.encode(plain), head)


def unseal(sealed_domains: bytes, seal_key: bytes) -> dict[str, Domain]:
    """Return the domains in a sealed blob.

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
        domains = _decode_domains(plain)
    except (InvalidTag, ValueError):  # msgspec's refusals are ValueErrors
        raise SealRefused from None
    return {name: Domain(domain.current, domain.keys) for name, domain in domains.items()}


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


def identity_domain(domains: dict[str, Domain]) -> Domain:
    """Return the domain that seals what callers prove themselves by.

    Raises:
        TokenRefused: there is none.
    """
    domain = domains.get(IDENTITY_DOMAIN)
    if domain is None:
        raise TokenRefused
    return domain


def binding_of(*fields: str | bytes) -> bytes:
    """Return the bytes a token is bound to: each field preceded by its length."""
    parts: list[bytes] = []
    for field in fields:
        text = field.encode() if isinstance(field, str) else field
        parts += (pack(">I", len(text)), text)
    return b"".join(parts)
