"""The software engine: backing keys opened from their tokens, in the memory of this process.

A key arrives with each command as a token bound to its KMS key. What was opened is remembered for
a while (`opened.py`) under the exact bytes that arrived: another binding is another entry, so the
cache cannot lend a key to a KMS key that the token was not made for. Tokens of destroyed material
are refused, whoever still sends one.
"""

import hashlib
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from kagimori_boundary.commands import BoundToken
from kagimori_boundary.key_specs import KeyUsage
from kagimori_boundary.token_form import domain_key_id
from kagimori_hsm.algorithms import dispatch, symmetric
from kagimori_hsm.algorithms.specs import algorithms_of
from kagimori_hsm.engines.opened import OpenedKeys
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import TokenRefused, key_identity, token_binding

DESTROYED_REMEMBERED_MAX: Final = 20_000

_decode_bound_token = msgspec.msgpack.Decoder(BoundToken).decode


class BackingKey:
    """One opened backing key. Its repr shows nothing of the material."""

    __slots__ = (
        "_algorithms", "_cipher", "_loaded", "_usage", "identity", "key_spec", "material",
        "material_id", "opened_at",
    )  # fmt: skip

    def __init__(self, bound: BoundToken, material: bytes) -> None:
        self.material = material
        self.material_id = bound.material_id
        self.key_spec = bound.key_spec
        self._usage = bound.key_usage
        self._algorithms = algorithms_of(bound.key_spec, bound.key_usage)
        self.identity = key_identity(bound.account_id, bound.key_id)
        self.opened_at = 0.0
        self._loaded: dispatch.Loaded | None = None
        self._cipher: symmetric.Cipher | None = None

    def check(self, usage: KeyUsage, algorithm: str) -> None:
        """Check that the key is for this usage, and its spec has this algorithm for it.

        Raises:
            Refused: FORBIDDEN, whatever a worker asks.
        """
        if usage != self._usage or algorithm not in self._algorithms:
            raise Refused(Reason.FORBIDDEN)

    def load(self) -> dispatch.Loaded:
        """Return the library's key object; parsing the material once is enough."""
        if self._loaded is None:
            self._loaded = dispatch.load(self.key_spec, self.material)
        return self._loaded

    def cipher(self) -> symmetric.Cipher:
        """Return the cipher of symmetric material; keying it once is enough."""
        if self._cipher is None:
            self._cipher = symmetric.Cipher(self.material)
        return self._cipher


class BackingKeys:
    """Opens bound tokens, and remembers what it opened."""

    def __init__(self, rings: Rings, opened: OpenedKeys[BackingKey] | None = None) -> None:
        self._rings = rings
        self._opened = opened if opened is not None else OpenedKeys()
        # Digests, the longest destroyed first. A command is on its way for seconds at the most, so
        # that those which are forgotten here can meet none any more.
        self._destroyed: dict[bytes, None] = {}
        # By the digest of a token that was wrapped anew, that of the token before it.
        self._before: dict[bytes, bytes] = {}

    def open(self, bound_token: bytes) -> BackingKey:
        """Return the backing key in a bound token.

        Raises:
            TokenRefused: not a token of the key it is presented for.
        """
        backing_key = self._opened.get(bound_token)
        return backing_key if backing_key is not None else self._open_anew(bound_token)

    def bound(self, bound_token: bytes) -> BoundToken:
        """Return the binding of a bound token.

        Raises:
            TokenRefused: not the encoding of one.
        """
        try:
            bound: BoundToken = _decode_bound_token(bound_token)
        except ValueError:
            raise TokenRefused from None
        return bound

    def wrap(self, bound: BoundToken, material: bytes) -> bytes:
        """Return the key token for new material; `bound.key_token` is not looked at."""
        return self._rings.of(bound.region).wrap(material, token_binding(bound))

    def rewrap(self, bound_token: bytes) -> bytes:
        """Return the key token under the current domain key; the material is not remembered.

        Raises:
            TokenRefused: as `open`.
        """
        bound = self._presented(bound_token)
        token = self._rings.of(bound.region).rewrap(bound.key_token, token_binding(bound))
        if token != bound.key_token:
            if len(self._before) >= DESTROYED_REMEMBERED_MAX:
                del self._before[next(iter(self._before))]
            self._before[_digest(token)] = _digest(bound.key_token)
        return token

    def drop_expired(self) -> None:
        """Drop keys that were opened too long ago."""
        self._opened.drop_expired()

    def close(self) -> None:
        """Drop all that was opened, and remember nothing from now on."""
        self._opened.close()
        self._before.clear()

    def drop_under(self, key_ids: Collection[bytes]) -> None:
        """Drop keys opened from tokens under these domain keys, which are destroyed."""
        self._opened.drop_where(
            lambda bound_token: domain_key_id(self.bound(bound_token).key_token) in key_ids
        )

    def forget(self, material_ids: Iterable[bytes], key_tokens: Iterable[bytes]) -> None:
        """Drop keys opened of destroyed materials; refuse their tokens from now on.

        Of a token that was wrapped anew, the one before it is refused as well.
        """
        for key_token in key_tokens:
            digest: bytes | None = _digest(key_token)
            while digest is not None:
                self._destroyed[digest] = None
                digest = self._before.pop(digest, None)
            while len(self._destroyed) > DESTROYED_REMEMBERED_MAX:
                del self._destroyed[next(iter(self._destroyed))]
        self._opened.drop_of(frozenset(material_ids))

    def _presented(self, bound_token: bytes) -> BoundToken:
        """Return the binding of a bound token, unless its material was destroyed."""
        bound = self.bound(bound_token)
        if self._destroyed and _digest(bound.key_token) in self._destroyed:
            self._opened.drop_of((bound.material_id,))
            raise TokenRefused
        return bound

    def _open_anew(self, bound_token: bytes) -> BackingKey:
        bound = self._presented(bound_token)
        material = self._rings.of(bound.region).unwrap(bound.key_token, token_binding(bound))
        backing_key = BackingKey(bound, material)
        self._opened.keep(bound_token, backing_key)
        if self._destroyed:  # by now, perhaps: slow work opens keys on threads
            self._presented(bound_token)
        return backing_key


def _digest(key_token: bytes) -> bytes:
    return hashlib.sha256(key_token).digest()
