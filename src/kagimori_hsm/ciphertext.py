"""The symmetric ciphertext of version 1, written and read.

    version (1) | material id (32) | N (16) | IV (12) | ciphertext | tag (16)

For each ciphertext a fresh N and IV are drawn; the key is derived from the backing key and N.
Authenticated with the plaintext: everything before the ciphertext, the KMS key's identity, and
the encryption context in canonical form. Documented, with vectors, in
docs/look-up/ciphertext-format.md.
"""

import os
from typing import Final

from kagimori_boundary.ciphertext_form import (
    CIPHERTEXT_VERSION,
    HEADER_BYTES,
    IV_BYTES,
    MATERIAL_ID_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
)
from kagimori_hsm.encryption_context import canonical
from kagimori_hsm.engines.software import BackingKey
from kagimori_hsm.refused import Reason, Refused

_VERSION: Final = bytes([CIPHERTEXT_VERSION])
_NONCE_START: Final = 1 + MATERIAL_ID_BYTES
_IV_START: Final = _NONCE_START + NONCE_BYTES


def seal(key: BackingKey, plaintext: bytes, encryption_context: dict[str, str]) -> bytes:
    """Return a new ciphertext; two calls never answer the same one."""
    drawn = os.urandom(NONCE_BYTES + IV_BYTES)
    header = _VERSION + key.material_id + drawn
    return header + key.cipher().encrypt(
        header=header,
        aad=key.identity + canonical(encryption_context),
        nonce16=drawn[:NONCE_BYTES],
        iv12=drawn[NONCE_BYTES:],
        plaintext=plaintext,
    )


def open_sealed(key: BackingKey, blob: bytes, encryption_context: dict[str, str]) -> bytes:
    """Return the plaintext of a ciphertext made with this key under this context.

    Raises:
        Refused: INVALID_CIPHERTEXT, whatever of it does not fit.
    """
    if (
        len(blob) < HEADER_BYTES + TAG_BYTES
        or blob[:1] != _VERSION
        or blob[1:_NONCE_START] != key.material_id
    ):
        raise Refused(Reason.INVALID_CIPHERTEXT)
    return key.cipher().decrypt(
        header=blob[:HEADER_BYTES],
        aad=key.identity + canonical(encryption_context),
        nonce16=blob[_NONCE_START:_IV_START],
        iv12=blob[_IV_START:HEADER_BYTES],
        ciphertext=blob[HEADER_BYTES:],
    )
