"""The roster: the operators' public keys and their quorum, sealed with the domain keys.

With it are sealed the id of the deployment, the secret by which the HSM knows requests that it
made, and the ids of requests that are over. A roster in force is never changed: a change makes its
successor, one step further, which is adopted as a ring's is.
"""

import os
import re
import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct, msgpack
from msgspec.structs import replace
from nacl.bindings import crypto_core_ed25519_is_valid_point

from kagimori_hsm.refused import Reason, Refused

OPERATORS_MAX: Final = 32
PUBLIC_KEY_BYTES: Final = 32
ENDED_MAX: Final = 1000
_SECRET_BYTES: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Roster(Struct, frozen=True, array_like=True):
    """`operators` are public keys by name, `ended` the expiry of each request that is over.

    `doomed` are domain keys that are destroyed without having rested, `zeroized` counts the orders
    to forget every key. It has no repr that shows the secret.
    """

    deployment_id: str = ""
    secret: bytes = b""
    quorum: int = 0
    operators: dict[str, bytes] = {}
    ended: dict[str, int] = {}
    doomed: tuple[bytes, ...] = ()
    zeroized: int = 0
    step: int = 0

    def __repr__(self) -> str:
        return f"Roster(step={self.step})"

    def with_operators(self, added: Mapping[str, bytes], quorum: int) -> "Roster":
        """Return the successor with more operators; the first ones name the deployment.

        Raises:
            Refused: FORBIDDEN, a name or key that is taken or no key, or no such quorum.
        """
        operators = {**self.operators, **added}
        if not added or self.operators.keys() & added.keys():
            raise Refused(Reason.FORBIDDEN)
        if not all(_NAME.fullmatch(name) for name in added):
            raise Refused(Reason.FORBIDDEN)
        if not all(is_public_key(key) for key in added.values()):
            raise Refused(Reason.INVALID_PUBLIC_KEY)
        successor = self._with(operators, quorum)
        return successor if successor.deployment_id else _named(successor)

    def without_operators(self, names: Iterable[str], quorum: int) -> "Roster":
        """Return the successor without these operators; the last one stays.

        Raises:
            Refused: FORBIDDEN, one of them does not exist, or no such quorum.
        """
        removed = set(names)
        if not removed or not removed <= self.operators.keys():
            raise Refused(Reason.FORBIDDEN)
        kept = {name: key for name, key in self.operators.items() if name not in removed}
        return self._with(kept, quorum)

    def with_quorum(self, quorum: int) -> "Roster":
        """Return the successor in which so many must approve.

        Raises:
            Refused: FORBIDDEN, no such quorum.
        """
        return self._with(self.operators, quorum)

    def with_ended(self, request_id: str, expires_at: int, now: float) -> "Roster":
        """Return the successor that knows of one more request that is over.

        Requests past their expiry are refused for that, and forgotten here.

        Raises:
            Refused: NOT_APPROVED if it is over already, TOO_OFTEN with too many.
        """
        if request_id in self.ended:
            raise Refused(Reason.NOT_APPROVED)
        ended = {one: at for one, at in self.ended.items() if at > now}
        if len(ended) >= ENDED_MAX:
            raise Refused(Reason.TOO_OFTEN)
        return replace(self, ended={**ended, request_id: expires_at}, step=self.step + 1)

    def with_doomed(self, key_ids: Iterable[bytes]) -> "Roster":
        """Return the successor by which these domain keys need not rest."""
        doomed = tuple(dict.fromkeys((*self.doomed, *key_ids)))
        return replace(self, doomed=doomed, step=self.step + 1)

    def without_doomed(self, key_ids: Collection[bytes]) -> "Roster":
        """Return the successor without these domain keys, which are gone now."""
        if not set(self.doomed) & set(key_ids):
            return self
        doomed = tuple(key_id for key_id in self.doomed if key_id not in key_ids)
        return replace(self, doomed=doomed, step=self.step + 1)

    def with_zeroized(self) -> "Roster":
        """Return the successor by which the module forgets every key once it adopts it."""
        return replace(self, zeroized=self.zeroized + 1, step=self.step + 1)

    def _with(self, operators: dict[str, bytes], quorum: int) -> "Roster":
        if not 1 <= quorum <= len(operators) <= OPERATORS_MAX:
            raise Refused(Reason.FORBIDDEN)
        if len(set(operators.values())) != len(operators):  # one person with two votes
            raise Refused(Reason.FORBIDDEN)
        return replace(self, operators=operators, quorum=quorum, step=self.step + 1)


def _named(roster: Roster) -> Roster:
    """Return a roster with the id of the deployment, and the secret that is its own."""
    deployment_id = str(uuid.uuid4())
    return replace(roster, deployment_id=deployment_id, secret=os.urandom(_SECRET_BYTES))


NOBODY: Final = Roster()


_NAME_IN_CONTENTS: Final = "roster"
_decode: Final = msgpack.Decoder(Roster).decode


def roster_in(further: Mapping[str, bytes]) -> Roster:
    """Return the roster among the further sealed parts; one of nobody, if there is no other."""
    sealed = further.get(_NAME_IN_CONTENTS)
    return NOBODY if sealed is None else _decode(sealed)


def further_with(further: Mapping[str, bytes], roster: Roster) -> dict[str, bytes]:
    """Return the further sealed parts, this roster among them."""
    if roster == NOBODY:
        return dict(further)
    return {**further, _NAME_IN_CONTENTS: msgpack.encode(roster)}


def is_public_key(key: bytes) -> bool:
    """Return whether these are the bytes of an Ed25519 public key that somebody can have.

    Points of small order are none: signatures under them can be made without a private key.
    """
    if len(key) != PUBLIC_KEY_BYTES:
        return False
    return bool(crypto_core_ed25519_is_valid_point(key))


def verifies(key: bytes, signature: bytes, text: bytes) -> bool:
    """Return whether a signature is one of `key` over these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no signature
        return False
    return True


def check_successor(before: Roster, after: Roster) -> None:
    """Check that a roster may take the place of the one in force.

    Raises:
        Refused: FORBIDDEN, it is older, another one of the same step, or of another deployment.
    """
    if after.step < before.step or (after.step == before.step and after != before):
        raise Refused(Reason.FORBIDDEN)
    if before.deployment_id and after.deployment_id != before.deployment_id:
        raise Refused(Reason.FORBIDDEN)
