"""Secrets of the HSM, wrapped with keys in the token that are not extractable.

    CKA_ID of the wrapping key (32) | IV (12) | ciphertext | tag (16)

Each purpose has a key of its own, so that one who may use the token for one of them can be kept
from the others by destroying its key.
"""

from typing import Final

from kagimori_boundary.ciphertext_form import IV_BYTES, TAG_BYTES
from kagimori_hsm.engines.pkcs11 import ID_BYTES, KeyName, TokenKeys
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.tokens import binding_of

_START: Final = ID_BYTES + IV_BYTES


def wrap(keys: TokenKeys, purpose: str, secret: bytes) -> bytes:
    """Return the wrapped secret; makes the purpose's key if there is none."""
    label = _label(purpose)
    names = keys.named(label)
    name = names[0] if names else keys.make(label)
    return name.key_id + keys.seal(name, secret, lambda iv: _bound(purpose, name.key_id, iv))


def unwrap(keys: TokenKeys, purpose: str, wrapped: bytes) -> bytes:
    """Return the secret.

    Raises:
        Refused: INVALID_CIPHERTEXT, whatever of it does not fit; TOKEN_AWAY, KEY_NOT_IN_TOKEN.
    """
    if len(wrapped) < _START + TAG_BYTES:
        raise Refused(Reason.INVALID_CIPHERTEXT)
    key_id, iv = wrapped[:ID_BYTES], wrapped[ID_BYTES:_START]
    name = KeyName(_label(purpose), key_id)
    return keys.open_sealed(name, iv, wrapped[_START:], _bound(purpose, key_id, iv))


def _label(purpose: str) -> str:
    return f"kagimori wrap {purpose}"


def _bound(purpose: str, key_id: bytes, iv: bytes) -> bytes:
    return binding_of("wrapped secret", purpose, key_id, iv)
