"""Passwords of users: hashed here, and the hashes sealed, so that no thief of the store can guess.

One salt serves all passwords of a user: one scrypt then says whether any of those before was it.

Source: RFC 7914 (scrypt); the cost is OWASP's for 16 MiB ("Password Storage Cheat Sheet").
"""

import hashlib
import hmac
import os
from typing import Final

import msgspec

from kagimori_boundary.commands import HashPassword
from kagimori_boundary.replies import Bytes, Reply
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import binding_of

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
    def __init__(self, rings: Rings) -> None:
        self._rings = rings

    def hash(self, command: HashPassword) -> Reply:
        domain = self._rings.identity()
        binding = password_binding(command.account_id, command.user_id)
        before = _Hashes(os.urandom(_SALT_BYTES), [])
        if command.sealed_before:
            before = _decode(domain.unwrap(command.sealed_before, binding))
        if command.current is not None:
            current = _hashed(command.current, before.salt)
            if not before.hashes or not hmac.compare_digest(current, before.hashes[0]):
                raise Refused(Reason.INCORRECT_PASSWORD)
        new = _hashed(command.password, before.salt)
        remembered = before.hashes[: command.remembered]
        if any(hmac.compare_digest(new, old) for old in remembered):
            raise Refused(Reason.USED_PASSWORD)
        kept = _Hashes(before.salt, [new, *before.hashes][:KEPT_MAX])
        return Bytes(domain.wrap(msgspec.msgpack.encode(kept), binding))


def password_binding(account_id: str, user_id: str) -> bytes:
    """Return the binding of the sealed hashes of a user's passwords."""
    return binding_of("password", account_id, user_id)


def _hashed(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=_COST,
        r=_BLOCKS,
        p=_LANES,
        maxmem=_MEMORY_MAX,
        dklen=_HASH_BYTES,
    )
