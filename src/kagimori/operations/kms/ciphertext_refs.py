"""From a ciphertext to the KMS key it names.

Source: reference, sections 1.5 (Decrypt), 5.2 (IncorrectKey) and 5.4 (what is not revealed).
"""

from typing import NoReturn

from kagimori.entities.tables import KMS_KEYS, MATERIALS
from kagimori.gate.asked import Asked
from kagimori.operations.kms.key_refs import key_named
from kagimori.rules.authorization.authorize import refuse_unknown_ciphertext
from kagimori.rules.keys.kms_key import KmsKey, Material
from kagimori.rules.keys.symmetric_ciphertext import material_id_of
from kagimori.rules.refusal import (
    IncorrectKeyException,
    InvalidCiphertextException,
    ValidationException,
)


def key_of_ciphertext(asked: Asked, blob: bytes, action: str) -> tuple[KmsKey, str]:
    """Return the KMS key that a symmetric ciphertext names, and the material's id (hex).

    Raises:
        InvalidCiphertextException: not a ciphertext of ours.
        AccessDeniedException: no key here has that material; it is not said whether any has.
    """
    material_id = material_id_of(blob)
    if material_id is None:
        raise InvalidCiphertextException
    kms_key = _owner(asked, material_id)
    if kms_key is None:
        refuse_unknown_ciphertext(asked.caller.principal, action)
    return kms_key, material_id


def key_for_decryption(
    asked: Asked, blob: bytes | None, named: str | None, algorithm: str | None, action: str
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
        kms_key, material_id = key_of_ciphertext(asked, blob, action)
        return kms_key, material_id, True
    kms_key, _ = key_named(asked, named, action)
    if algorithm not in (None, "SYMMETRIC_DEFAULT") or blob is None:
        return kms_key, None, True
    written = material_id_of(blob)
    owner = _owner(asked, written) if written is not None else None
    if owner is None:
        return kms_key, None, False
    return kms_key, written, owner.arn == kms_key.arn


def refuse_wrong_key(material_id: str | None) -> NoReturn:
    """Refuse a ciphertext that the named key did not make.

    Raises:
        IncorrectKeyException: another key's.
        InvalidCiphertextException: nobody's.
    """
    if material_id is None:
        raise InvalidCiphertextException
    raise IncorrectKeyException(
        "The key ID in the request does not identify a CMK that can perform this operation."
    )


def _owner(asked: Asked, material_id: str) -> KmsKey | None:
    region = asked.call.region
    material: Material | None = asked.view.one(MATERIALS, (region, material_id))
    if material is None:
        return None
    found: KmsKey | None = asked.view.one(KMS_KEYS, (material.account_id, region, material.key_id))
    return found
