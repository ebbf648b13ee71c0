"""Passwords of users: hashed here, and the hashes sealed, so that no thief of the store can guess.

One salt serves all passwords of a user: one scrypt then says whether any of those before was it.

Source: RFC 7914 (scrypt); the cost is OWASP's for 16 MiB ("Password Storage Cheat Sheet").
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Final

import msgspec

from kagimori_boundary.commands import HashPassword
from kagimori_boundary.commands.identity import Proof
from kagimori_boundary.replies import Bytes, Reply
from kagimori_hsm.minting import Asker, check_password_setter
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import binding_of
from kagimori_hsm.world import World

_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_COST, _BLOCKS, _LANES = 2**14, 8, 5
_MEMORY_MAX: Final = 64 * 1024 * 1024
KEPT_MAX: Final = 24  # the most a password policy remembers


class _Hashes(msgspec.Struct, array_like=True, frozen=True):
    """The newest first."""

    salt: bytes
    hashes: list[bytes]


_decode = msgspec.msgpack.Decoder(_Hashes).decode


class Passwords:
    """Hashes and compares; `asker` says on whose behalf a worker asks, as a proof shows."""

    def __init__(
        self, rings: Rings, asker: Callable[[Proof | None], Asker | None], world: World
    ) -> None:
        self._rings = rings
        self._asker = asker
        self._world = world

    def hash(self, command: HashPassword) -> Reply:
        asker = self._asker(command.proof)
        if asker is not None:
            check_password_setter(asker, command.account_id, command.user_id)
        elif not self._world.dev:
            raise Refused(Reason.FORBIDDEN)
        whose = (command.account_id, command.user_id)
        before = command.sealed_before
        if command.current is not None and not self.is_right(whose, command.current, before):
            raise Refused(Reason.INCORRECT_PASSWORD)
        return Bytes(self.hashed_after(whose, command.password, before, command.remembered))

    def is_right(self, whose: tuple[str, str], password: str, sealed: bytes) -> bool:
        """Return whether it is the password of a user (account and id).

        For a user without one it takes as long.
        """
        known = self._opened(whose, sealed)
        hashed = _hashed(password, known.salt)
        newest = known.hashes[0] if known.hashes else os.urandom(_HASH_BYTES)
        # HMAC, and so scrypt, fills a short password up with zeros: with some it would be the same.
        return hmac.compare_digest(hashed, newest) and bool(known.hashes) and "\0" not in password

    def hashed_after(
        self, whose: tuple[str, str], password: str, sealed_before: bytes, remembered: int
    ) -> bytes:
        """Return the sealed hash of a new password, with the newest before it.

        Raises:
            Refused: USED_PASSWORD.
        """
        before = self._opened(whose, sealed_before)
        new = _hashed(password, before.salt)
        if any(hmac.compare_digest(new, old) for old in before.hashes[:remembered]):
            raise Refused(Reason.USED_PASSWORD)
        kept = _Hashes(before.salt, [new, *before.hashes][:KEPT_MAX])
        return self._rings.identity().wrap(msgspec.msgpack.encode(kept), password_binding(*whose))

    def _opened(self, whose: tuple[str, str], sealed: bytes) -> _Hashes:
        if not sealed:
            return _Hashes(os.urandom(_SALT_BYTES), [])
        return _decode(self._rings.identity().unwrap(sealed, password_binding(*whose)))


def password_binding(account_id: str, user_id: str) -> bytes:
    """Return the binding of the sealed hashes of a user's passwords."""
    return binding_of("password", account_id, user_id)


def _hashed(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=_COST,
        r=_BLOCKS,
        p=_LANES,
        maxmem=_MEMORY_MAX,
        dklen=_HASH_BYTES,
    )
