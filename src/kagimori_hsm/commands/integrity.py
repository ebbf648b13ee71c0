"""The key that authenticates the rows of the store: derived from a secret sealed with the domains.

The secret is drawn once, and stays as it is whatever becomes of domain keys and seals, so that what
was authenticated holds for good. It never leaves; the service's own processes get the key.
"""

import hmac
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from kagimori_boundary import commands
from kagimori_boundary.replies import Bytes, Reply
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings

SECRET_BYTES: Final = 32
KEY_BYTES: Final = 32
_NAME_IN_CONTENTS: Final = "integrity"
_LABEL: Final = b"kagimori store integrity v1"


class IntegrityCommands:
    """One function for each command about the integrity of the store."""

    def __init__(self, rings: Rings) -> None:
        self._rings = rings

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {commands.DeriveIntegrityKey: self._derive}

    def _derive(self, _: commands.DeriveIntegrityKey) -> Reply:
        secret = self._rings.further.get(_NAME_IN_CONTENTS)
        if secret is None:
            return Bytes(b"")
        return Bytes(HKDFExpand(hashes.SHA256(), KEY_BYTES, _LABEL).derive(secret))


def with_integrity_secret(further: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the further sealed parts, with a secret among them: a new one if there is none."""
    return {_NAME_IN_CONTENTS: os.urandom(SECRET_BYTES), **further}


def check_same_secret(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Check that a successor has the secret that is in force.

    Raises:
        Refused: FORBIDDEN, it has none, or another one.
    """
    secret = before.get(_NAME_IN_CONTENTS)
    if secret is not None and not hmac.compare_digest(secret, after.get(_NAME_IN_CONTENTS, b"")):
        raise Refused(Reason.FORBIDDEN)
