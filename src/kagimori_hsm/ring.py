"""Rings of domain keys: one for each region, and one for what callers prove themselves by.

A ring has one current domain key, which wraps new tokens, and past ones, which still open theirs.
A ring in force is never changed: rotation and destruction make its successor, which takes its
place once the operator has seen it on disk.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kagimori_boundary.commands import IDENTITY_DOMAIN
from kagimori_boundary.token_form import (
    DOMAIN_KEY_ID_BYTES,
    TOKEN_MARK_BYTES,
    TOKEN_VERSION,
    domain_key_id,
)
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.tokens import TokenRefused

DOMAIN_KEY_BYTES: Final = 32
_IV_BYTES: Final = 12
_TOKEN_HEAD_BYTES: Final = TOKEN_MARK_BYTES + _IV_BYTES
# A domain key rests so long before it can be destroyed: clients carry session tokens for up to 36
# hours and import tokens for 24, and nobody can wrap those anew.
REST_SECONDS_MIN: Final = 37 * 3600.0
# All rings of a deployment go through one frame.
DOMAIN_KEYS_MAX: Final = 100


class KeyLife(NamedTuple):
    """The times of a domain key, in seconds since the epoch; current as long as not retired.

    Both are unknown (0 and None) of keys that were made before these times were kept.
    """

    made_at: float
    retired_at: float | None = None


class Ring:
    """The domain keys of one domain. It has no repr that shows them.

    `step` counts the changes since the ring was made.
    """

    def __init__(
        self,
        current: bytes,
        keys: dict[bytes, bytes],
        lives: Mapping[bytes, KeyLife] | None = None,
        step: int = 0,
    ) -> None:
        self._current = current
        self._keys = keys
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        known = lives or {}
        self.lives: Final[Mapping[bytes, KeyLife]] = {
            key_id: known.get(key_id, KeyLife(0.0)) for key_id in keys
        }
        self.step: Final = step

    @classmethod
    def create(cls, now: float = 0.0) -> "Ring":
        key_id = os.urandom(DOMAIN_KEY_ID_BYTES)
        return cls(key_id, {key_id: os.urandom(DOMAIN_KEY_BYTES)}, {key_id: KeyLife(now)})

    @property
    def current(self) -> bytes:
        """The id of the domain key that wraps new tokens."""
        return self._current

    def wrap(self, secret: bytes, binding: bytes) -> bytes:
        """Return a token: `version | domain key id (8) | IV (12) | ciphertext | tag (16)`.

        INVARIANT(token-binding): what the token is for is authenticated with it.
        """
        head = TOKEN_VERSION + self._current + os.urandom(_IV_BYTES)
        iv = head[-_IV_BYTES:]
        return head + self._ciphers[self._current].encrypt(iv, secret, head + binding)

    def unwrap(self, token: bytes, binding: bytes) -> bytes:
        """Return the secret in a token.

        Raises:
            TokenRefused: the token was not made by this ring for this binding.
        """
        head = token[:_TOKEN_HEAD_BYTES]
        cipher = self._ciphers.get(head[1:TOKEN_MARK_BYTES])
        if head[:1] != TOKEN_VERSION or len(head) < _TOKEN_HEAD_BYTES or cipher is None:
            raise TokenRefused
        try:
            return cipher.decrypt(head[-_IV_BYTES:], token[_TOKEN_HEAD_BYTES:], head + binding)
        except (InvalidTag, ValueError):
            raise TokenRefused from None

    def rewrap(self, token: bytes, binding: bytes) -> bytes:
        """Return a token of the current domain key for the same secret and binding.

        One that is of the current domain key already is opened as well, and returned as it is.

        Raises:
            TokenRefused: as `unwrap`.
        """
        secret = self.unwrap(token, binding)
        return token if domain_key_id(token) == self._current else self.wrap(secret, binding)

    def rotated(self, now: float) -> "Ring":
        """Return the successor with a new current domain key; the others open what is theirs.

        Raises:
            Refused: TOO_OFTEN, the ring has so many already.
        """
        if len(self._keys) >= DOMAIN_KEYS_MAX:
            raise Refused(Reason.TOO_OFTEN)
        new = Ring.create(now)
        retired = {self._current: self.lives[self._current]._replace(retired_at=now)}
        return Ring(
            new.current,
            {**self._keys, **new.plain()[1]},
            {**self.lives, **retired, **new.lives},
            self.step + 1,
        )

    def without(
        self, key_ids: Collection[bytes], now: float, at_once: Collection[bytes] = ()
    ) -> "Ring":
        """Return the successor without these domain keys; what they wrapped opens no more.

        Those in `at_once` need not have rested.

        Raises:
            Refused: FORBIDDEN, one of them is current, or has not rested long enough.
        """
        for key_id in key_ids:
            retired_at = self.lives[key_id].retired_at
            if key_id in at_once:
                self.check_retired([key_id])
            elif retired_at is None or now < retired_at + REST_SECONDS_MIN:
                raise Refused(Reason.FORBIDDEN)
        kept = {key_id: key for key_id, key in self._keys.items() if key_id not in key_ids}
        return Ring(self._current, kept, self.lives, self.step + 1)

    def check_retired(self, key_ids: Collection[bytes]) -> None:
        """Check that these domain keys wrap nothing new.

        Raises:
            Refused: FORBIDDEN.
        """
        for key_id in key_ids:
            life = self.lives.get(key_id)
            if key_id == self._current or life is None or life.retired_at is None:
                raise Refused(Reason.FORBIDDEN)

    def plain(self) -> tuple[bytes, dict[bytes, bytes]]:
        """Return the id of the current key and all keys, for a root to seal."""
        return self._current, self._keys


class Rings:
    """All rings of the module, by domain name; empty until it is unsealed.

    `operator_account_id` is sealed with them, and never changes once it is there; `further` is what
    other parts of the HSM seal with them, by name.
    """

    def __init__(self) -> None:
        self._rings: dict[str, Ring] = {}
        self.operator_account_id = ""
        self.further: Mapping[str, bytes] = {}

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

    def create(self, names: Iterable[str], now: float = 0.0) -> None:
        """Make the rings that do not exist yet."""
        for name in names:
            if name not in self._rings:
                self._rings[name] = Ring.create(now)

    def succeed(self, rings: Mapping[str, Ring]) -> frozenset[bytes]:
        """Put these rings in force; return the ids of the domain keys that are gone with that.

        A domain key in force is given up only after it was retired: a successor that was made
        before the newest one was known lacks that, and is refused.

        Raises:
            Refused: FORBIDDEN, these do not succeed the rings in force.
        """
        gone: set[bytes] = set()
        for name, ring in self._rings.items():
            new = rings.get(name)
            if new is None or new.step < ring.step:
                raise Refused(Reason.FORBIDDEN)
            if new.step == ring.step and new.lives.keys() != ring.lives.keys():
                raise Refused(Reason.FORBIDDEN)
            dropped = ring.lives.keys() - new.lives.keys()
            if any(
                key_id == ring.current or ring.lives[key_id].retired_at is None
                for key_id in dropped
            ):
                raise Refused(Reason.FORBIDDEN)
            gone |= dropped
        self._rings.update(rings)
        return frozenset(gone)

    def all(self) -> Mapping[str, Ring]:
        return self._rings

    def clear(self) -> None:
        self._rings.clear()
        self.further = {}
