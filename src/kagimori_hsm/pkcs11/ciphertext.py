"""The symmetric ciphertext of version 3, of keys in a PKCS#11 token.

    version (1) | material id (32) | IV (12) | ciphertext | tag (16)

Authenticated with the plaintext: everything before the ciphertext, the KMS key's identity, and the
encryption context in canonical form, as in version 1. The key is the token's own, so none is
derived, and IVs are never repeated (`Ivs`). Documented in docs/look-up/ciphertext-format.md.
"""

from typing import Final

from kagimori_boundary.ciphertext_form import (
    MATERIAL_ID_BYTES,
    TAG_BYTES,
    TOKEN_CIPHERTEXT_VERSION,
    TOKEN_HEADER_BYTES,
)
from kagimori_boundary.commands import BoundToken
from kagimori_hsm.encryption_context import canonical
from kagimori_hsm.engines.pkcs11 import KeyName, TokenKeys
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.tokens import key_identity

_VERSION: Final = bytes([TOKEN_CIPHERTEXT_VERSION])
_IV_START: Final = 1 + MATERIAL_ID_BYTES


def label_of(account_id: str, key_id: str) -> str:
    """Return the label of a KMS key's object in the token."""
    return f"kagimori kms {account_id} {key_id}"


def name_of(bound: BoundToken) -> KeyName:
    """Return the name of a KMS key's object in the token."""
    return KeyName(label_of(bound.account_id, bound.key_id), bound.material_id)


def seal(
    keys: TokenKeys, bound: BoundToken, plaintext: bytes, encryption_context: dict[str, str]
) -> bytes:
    """Return a new ciphertext; two calls never answer the same one."""
    start = _VERSION + bound.material_id
    after = key_identity(bound.account_id, bound.key_id) + canonical(encryption_context)
    return start + keys.seal(name_of(bound), plaintext, lambda iv: start + iv + after)


def open_sealed(
    keys: TokenKeys, bound: BoundToken, blob: bytes, encryption_context: dict[str, str]
) -> bytes:
    """Return the plaintext of a ciphertext made with this key under this context.

    Raises:
        Refused: INVALID_CIPHERTEXT, whatever of it does not fit; TOKEN_AWAY, KEY_NOT_IN_TOKEN.
    """
    if (
        len(blob) < TOKEN_HEADER_BYTES + TAG_BYTES
        or blob[:1] != _VERSION
        or blob[1:_IV_START] != bound.material_id
    ):
        raise Refused(Reason.INVALID_CIPHERTEXT)
    header, identity = blob[:TOKEN_HEADER_BYTES], key_identity(bound.account_id, bound.key_id)
    return keys.open_sealed(
        name_of(bound),
        header[_IV_START:],
        blob[TOKEN_HEADER_BYTES:],
        header + identity + canonical(encryption_context),
    )
