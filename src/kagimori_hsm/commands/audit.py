"""The audit key: made here, and used here for one thing, to sign digests of the audit trail.

It is the operator's: an API worker cannot have anything signed. Nor is it a key that signs just
any bytes: what is signed is composed here, of the fields of a digest.
"""

import hashlib
from collections.abc import Callable, Collection
from typing import Any, Final

from kagimori_boundary import commands
from kagimori_boundary.replies import Bytes, NewKey, Reply
from kagimori_boundary.token_form import domain_key_id
from kagimori_hsm.algorithms import dispatch, pairwise
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import binding_of

AUDIT_KEY_SPEC: Final = "RSA_2048"
ALGORITHM: Final = "RSASSA_PKCS1_V1_5_SHA_256"  # CloudTrail says SHA256withRSA
AUDIT_KEY_BINDING: Final = binding_of("audit key")


class AuditCommands:
    """One function for each command about the audit key."""

    def __init__(self, rings: Rings) -> None:
        self._rings = rings
        self._token = b""
        self._key: dispatch.Loaded | None = None

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.CreateAuditKey: self._create,
            commands.SignDigest: self._sign,
        }

    def clear(self) -> None:
        """Forget the key that was used last."""
        self._token, self._key = b"", None

    def drop_under(self, key_ids: Collection[bytes]) -> None:
        """Forget the key that was used last, if its token is under one of these domain keys."""
        if domain_key_id(self._token) in key_ids:
            self.clear()

    def _create(self, _: commands.CreateAuditKey) -> Reply:
        domain = self._rings.identity()
        material = pairwise.generate(AUDIT_KEY_SPEC)
        public_key = dispatch.public_key(AUDIT_KEY_SPEC, dispatch.load(AUDIT_KEY_SPEC, material))
        token = domain.wrap(material, AUDIT_KEY_BINDING)
        return NewKey(hashlib.sha256(public_key).digest(), token, public_key)

    def _sign(self, command: commands.SignDigest) -> Reply:
        if self._key is None or command.key_token != self._token:
            material = self._rings.identity().unwrap(command.key_token, AUDIT_KEY_BINDING)
            self._key = dispatch.load(AUDIT_KEY_SPEC, material)
            self._token = command.key_token
        text = "\n".join(
            (
                command.end_time,
                f"{command.bucket}/{command.object_name}",
                command.content_hash.hex(),
                command.previous_signature.hex() or "null",
            )
        )
        return Bytes(dispatch.sign(AUDIT_KEY_SPEC, self._key, ALGORITHM, "RAW", text.encode()))
