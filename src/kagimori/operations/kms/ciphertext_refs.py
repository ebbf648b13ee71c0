"""From a ciphertext to the KMS key it names.

DIFFERS(aws): with a KeyId, the ciphertext of another account's key is like one of no key.

Source: KMS API Reference, Decrypt (KeyId, IncorrectKeyException); what is not revealed: the
denial of a Decrypt without key.
"""

from typing import NoReturn

from kagimori.entities.tables import MATERIALS
from kagimori.gate.across import key_of_material
from kagimori.gate.asked import Asked
from kagimori.operations.kms.key_refs import key_named
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.symmetric_ciphertext import material_id_of
from kagimori.rules.refusal import (
    IncorrectKeyException,
    InvalidCiphertextException,
    ValidationException,
)


def key_of_ciphertext(asked: Asked, blob: bytes) -> tuple[KmsKey, str]:
    """Return the KMS key that a symmetric ciphertext names, and the material's id (hex).

    Raises:
        InvalidCiphertextException: not a ciphertext of ours.
    """
    material_id = material_id_of(blob)
    if material_id is None:
        raise InvalidCiphertextException
    return key_of_material(asked, material_id), material_id


def key_for_decryption(
    asked: Asked, blob: bytes | None, named: str | None, algorithm: str | None
) -> tuple[KmsKey, str | None, bool]:
    """Return the key that must decrypt, the material's id if symmetric, and whether it fits.

    What does not fit is refused later, once the caller may know of the key it named.
    """
    if named is None:
        if algorithm not in (None, "SYMMETRIC_DEFAULT"):
            raise ValidationException(
                "KeyId is required for decryption with an asymmetric KMS key."
            )
        if blob is None:
            raise ValidationException("CiphertextBlob is required.")
        kms_key, material_id = key_of_ciphertext(asked, blob)
        return kms_key, material_id, True
    kms_key, _ = key_named(asked, named)
    if algorithm not in (None, "SYMMETRIC_DEFAULT") or blob is None:
        return kms_key, None, True
    written = material_id_of(blob)
    if written is None or kms_key.backing_key(written) is not None:
        return kms_key, written, written is not None
    # Of the caller's own keys it is said that the ciphertext is of another; not of other accounts'.
    material = asked.view.one(MATERIALS, (asked.call.region, written))
    return kms_key, written if material is not None else None, False


def refuse_wrong_key(material_id: str | None) -> NoReturn:
    """Refuse a ciphertext that the named key did not make.

    Raises:
        IncorrectKeyException: another key's of the caller's account.
        InvalidCiphertextException: no key's, as far as the caller may know.
    """
    if material_id is None:
        raise InvalidCiphertextException
    raise IncorrectKeyException(
        "The key ID in the request does not identify a CMK that can perform this operation."
    )
