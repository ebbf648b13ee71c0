"""The PKCS#11 engine: keys that are made in a token, used there, and never leave it.

A key is an AES-256 secret key object: sensitive, not extractable, good for nothing but encrypting
and decrypting. Its CKA_ID is 32 random bytes, which for a KMS key are the id of its material; its
CKA_LABEL says what it is for, so that an object is only ever used for that. One thread alone may
use an engine.
"""

import os
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass, Session
from pkcs11.exceptions import KeyHandleInvalid, ObjectHandleInvalid, PKCS11Error

from kagimori_boundary.ciphertext_form import IV_BYTES
from kagimori_hsm.engines.token_connection import AES_BITS, TAG_BITS, TokenConnection
from kagimori_hsm.engines.token_errors import BAD_CIPHERTEXT
from kagimori_hsm.refused import Reason, Refused

ID_BYTES: Final = 32
KEYS_REMEMBERED_MAX: Final = 20_000
_COUNTER_BYTES: Final = 4
_TRIES: Final = 2

_TEMPLATE: Final = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.MODIFIABLE: False,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
    Attribute.SIGN: False,
    Attribute.VERIFY: False,
    Attribute.DERIVE: False,
}
# What a key must say of itself once it is made, whatever the token did with the template.
_MADE: Final = {
    Attribute.TOKEN: True,
    Attribute.SENSITIVE: True,
    Attribute.ALWAYS_SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.NEVER_EXTRACTABLE: True,
    Attribute.LOCAL: True,
}

T = TypeVar("T")


class KeyName(NamedTuple):
    """The name of a key in the token: its CKA_LABEL and its CKA_ID."""

    label: str
    key_id: bytes


class Ivs:
    """Distinct IVs: 64 random bits for each run of 2^32, and a count.

    Two encryptions share an IV only if two runs drew the same 64 bits, however often a key is used.

    Source: NIST SP 800-38D, 8.2.1 (deterministic construction).
    """

    def __init__(self) -> None:
        self._fixed = b""
        self._count = 0

    def next(self) -> bytes:
        """Return an IV that was not returned before."""
        if self._count == 0:
            self._fixed = os.urandom(IV_BYTES - _COUNTER_BYTES)
        iv = self._fixed + self._count.to_bytes(_COUNTER_BYTES, "big")
        self._count = (self._count + 1) % (1 << 8 * _COUNTER_BYTES)
        return iv


class TokenKeys:
    """The keys in one token."""

    def __init__(self, connection: TokenConnection) -> None:
        self._connection = connection
        self._ivs = Ivs()
        self._found: dict[KeyName, Any] = {}
        self._generation = 0

    def make(self, label: str) -> KeyName:
        """Make a key in the token; return its name.

        Raises:
            Refused: TOKEN_AWAY.
        """
        name = KeyName(label, os.urandom(ID_BYTES))
        return self._tried(lambda session: self._make(session, name))

    def seal(self, name: KeyName, plaintext: bytes, bind: Callable[[bytes], bytes]) -> bytes:
        """Return IV, ciphertext and tag; `bind` makes the authenticated data from the IV.

        Raises:
            Refused: TOKEN_AWAY, KEY_NOT_IN_TOKEN.
        """
        iv = self._ivs.next()
        sealed: bytes = self._use(name, lambda key: key.encrypt(plaintext, **_gcm(iv, bind(iv))))
        return iv + sealed

    def open_sealed(self, name: KeyName, iv: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            Refused: INVALID_CIPHERTEXT, TOKEN_AWAY, KEY_NOT_IN_TOKEN.
        """
        return self._use(name, lambda key: self._opened(key, iv, sealed, bound))

    def random(self, number_of_bytes: int) -> bytes:
        """Return random bytes of the token.

        Raises:
            Refused: TOKEN_AWAY.
        """
        return self._tried(lambda session: bytes(session.generate_random(8 * number_of_bytes)))

    def destroy(self, name: KeyName) -> None:
        """Destroy a key in the token; nothing is to be done if it is not there.

        Raises:
            Refused: TOKEN_AWAY.
        """
        try:
            self._use(name, lambda key: key.destroy(), is_certain=True)
        except Refused as refused:
            if refused.reason is not Reason.KEY_NOT_IN_TOKEN:
                raise
        self._found.pop(name, None)

    def named(self, label: str) -> list[KeyName]:
        """Return the names of the keys with this label.

        Raises:
            Refused: TOKEN_AWAY.
        """

        def search(session: Session) -> list[KeyName]:
            found = list(session.get_objects(_search(label)))
            return [KeyName(label, bytes(key[Attribute.ID])) for key in found]

        return self._tried(search)

    def _make(self, session: Session, name: KeyName) -> KeyName:
        key: Any = session.generate_key(
            KeyType.AES,
            AES_BITS,
            id=name.key_id,
            label=name.label,
            store=True,
            capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
            template=_TEMPLATE,
        )
        if any(key[attribute] is not value for attribute, value in _MADE.items()):
            key.destroy()
            raise Refused(Reason.FORBIDDEN)
        self._remember(name, key)
        return name

    def _use(self, name: KeyName, work: Callable[[Any], T], *, is_certain: bool = False) -> T:
        """Return the result of a use of a key; `is_certain`: it is missing only if it really is."""

        def use(session: Session) -> T:
            key = self._find(session, name)
            if key is None and self._connection.doubt(is_certain=is_certain):
                key = self._find(self._connection.session(), name)
            if key is None:
                raise Refused(Reason.KEY_NOT_IN_TOKEN)
            try:
                return work(key)
            except (KeyHandleInvalid, ObjectHandleInvalid):
                self._found.pop(name, None)
                raise

        return self._tried(use)

    def _tried(self, work: Callable[[Session], T]) -> T:
        """Return the result of some work; a session that was lost meanwhile is made again, once."""
        for _ in range(_TRIES):
            session = self._connection.session()
            try:
                return work(session)
            except PKCS11Error as problem:
                self._connection.lose(problem)
        raise Refused(Reason.TOKEN_AWAY)

    def _find(self, session: Session, name: KeyName) -> Any:
        """Return the key's object; None if the token has none of this name."""
        if self._generation != self._connection.generation:
            self._generation = self._connection.generation
            self._found.clear()
        key = self._found.get(name)
        if key is None:
            template = {**_search(name.label), Attribute.ID: name.key_id}
            # To the end: a search that is left open blocks the session.
            found = list(session.get_objects(template))
            if len(found) != 1:
                return None
            key = found[0]
            self._remember(name, key)
        return key

    def _remember(self, name: KeyName, key: Any) -> None:
        if len(self._found) >= KEYS_REMEMBERED_MAX:
            del self._found[next(iter(self._found))]
        self._found[name] = key

    def _opened(self, key: Any, iv: bytes, sealed: bytes, bound: bytes) -> bytes:
        try:
            return bytes(key.decrypt(sealed, **_gcm(iv, bound)))
        except BAD_CIPHERTEXT:
            raise Refused(Reason.INVALID_CIPHERTEXT) from None
        except (KeyHandleInvalid, ObjectHandleInvalid):
            raise
        except PKCS11Error:
            # Some libraries call a wrong tag a general error. If the same key still opens what it
            # sealed itself, it was the ciphertext.
            fresh, probe = self._ivs.next(), b"a probe"
            if key.decrypt(key.encrypt(probe, **_gcm(fresh, b"")), **_gcm(fresh, b"")) != probe:
                raise
            raise Refused(Reason.INVALID_CIPHERTEXT) from None


def _gcm(iv: bytes, bound: bytes) -> dict[str, Any]:
    return {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(iv, bound, TAG_BITS)}


def _search(label: str) -> dict[Attribute, Any]:
    return {
        Attribute.CLASS: ObjectClass.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.AES,
        Attribute.LABEL: label,
    }
