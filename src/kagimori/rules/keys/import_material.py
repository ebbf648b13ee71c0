"""Imported key material: permitted wrappings, expiry, and the key's state after an import.

Source: KMS Developer Guide, "Importing key material for AWS KMS keys".
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from kagimori.rules.entity import changed
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, BackingKey, KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.refusal import (
    IncorrectKeyMaterialException,
    KMSInvalidStateException,
    NotFoundException,
    UnsupportedOperationException,
    ValidationException,
)
from kagimori_boundary.key_specs import SPECS, Family

PARAMETERS_SECONDS: Final = 24 * 3600.0
VALID_SECONDS_MAX: Final = 365 * 86_400.0
_EXPIRES, _DOES_NOT_EXPIRE = "KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"
_OAEP: Final = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_AES_WRAP: Final = ("RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")
_WRAPPING: Final = {
    Family.SYMMETRIC: _OAEP,
    Family.MAC: _OAEP,
    Family.RSA: _AES_WRAP,
    Family.ELLIPTIC: (*_OAEP, *_AES_WRAP),
    Family.EDWARDS: (*_OAEP, *_AES_WRAP),
}
NEW, EXISTING = "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"


def check_origin(kms_key: KmsKey) -> None:
    """Check that the key takes imported material.

    Raises:
        UnsupportedOperationException: its material was made here.
    """
    if kms_key.origin != "EXTERNAL":
        raise UnsupportedOperationException(
            f"{kms_key.arn} origin is {kms_key.origin} which is not valid for this operation."
        )


def check_wrapping(kms_key: KmsKey, algorithm: str, wrapping_key_spec: str) -> None:
    """Check that a wrapping algorithm and key fit material of this key's spec.

    Raises:
        ValidationException: it may not.
        UnsupportedOperationException: an algorithm or wrapping key spec not offered here.
    """
    if wrapping_key_spec == "SM2" or algorithm in ("SM2PKE", "RSAES_PKCS1_V1_5"):
        raise UnsupportedOperationException(
            f"WrappingAlgorithm {algorithm} with WrappingKeySpec {wrapping_key_spec} is not "
            "supported in this Region."
        )
    allowed = _WRAPPING.get(SPECS[kms_key.key_spec].family, ())
    too_small = (
        kms_key.key_spec == "ECC_NIST_P521"
        and wrapping_key_spec == "RSA_2048"
        and algorithm in _OAEP
    )
    if algorithm not in allowed or too_small:
        raise ValidationException(
            f"WrappingAlgorithm {algorithm} with WrappingKeySpec {wrapping_key_spec} is not "
            f"compatible with KeySpec {kms_key.key_spec}."
        )


def check_expiration(given: Any, kms_key: KmsKey, now: float) -> None:
    """Check that expiry and import type fit each other and the key.

    Raises:
        ValidationException: they do not.
    """
    if (given.ExpirationModel or _EXPIRES) == _EXPIRES:
        if given.ValidTo is None:
            raise ValidationException(
                f"A validTo date must be set if the ExpirationModel is {_EXPIRES}"
            )
        if not now < given.ValidTo <= now + VALID_SECONDS_MAX:
            raise ValidationException(
                "The validTo date must be in the future and at most 365 days ahead."
            )
    elif given.ValidTo is not None:
        raise ValidationException(
            f"A validTo date must not be set if the ExpirationModel is {_DOES_NOT_EXPIRE}"
        )
    extras = (given.ImportType, given.KeyMaterialId, given.KeyMaterialDescription)
    if kms_key.key_spec != SYMMETRIC_DEFAULT and extras != (None, None, None):
        raise ValidationException(
            "ImportType, KeyMaterialId and KeyMaterialDescription are supported only for "
            "symmetric encryption KMS keys."
        )
    if given.KeyMaterialId is not None and given.ImportType == NEW:
        raise ValidationException(f"KeyMaterialId must not be set if the ImportType is {NEW}")
    if given.KeyMaterialDescription is not None and kms_key.is_replica:
        raise ValidationException(
            "KeyMaterialDescription can be set only on the multi-Region primary key."
        )


def imported(
    kms_key: KmsKey,
    new: BackingKey,
    *,
    import_type: str | None,
    named_id: str | None,
    members: Sequence[KmsKey],
) -> KmsKey:
    """Return the key after an import.

    Raises:
        IncorrectKeyMaterialException: not the material that was to come, or not a new one.
        KMSInvalidStateException: another new one waits already.
    """
    known = kms_key.backing_key(new.material_id)
    kind = import_type or (EXISTING if kms_key.backing_keys else NEW)
    if named_id is not None and named_id != new.material_id:
        raise IncorrectKeyMaterialException("The key material is not the one that was named.")
    if kind == EXISTING:
        if known is None:
            raise IncorrectKeyMaterialException(
                "The key material does not match any that is associated with the KMS key."
            )
        return _taken_again(kms_key, known, new, members)
    if known is not None:
        raise IncorrectKeyMaterialException(
            "The key material is already associated with the KMS key."
        )
    if kms_key.is_replica:
        raise UnsupportedOperationException(f"{kms_key.arn} is not a multi-region primary key.")
    return _taken_anew(kms_key, new, alone=len(members) == 1)


def _taken_again(
    kms_key: KmsKey, known: BackingKey, new: BackingKey, members: Sequence[KmsKey]
) -> KmsKey:
    others = [member for member in members if member.region != kms_key.region]
    everywhere = all(_has(member, new.material_id) for member in others)
    again = replace(
        known,
        key_token=new.key_token,
        public_key=new.public_key,
        expiration_model=new.expiration_model,
        valid_to=new.valid_to,
        description=new.description or known.description,
        everywhere=everywhere if known.pending else known.everywhere,
    )
    keys = tuple(again if key is known else key for key in kms_key.backing_keys)
    return _with_state(changed(kms_key, backing_keys=keys))


def _taken_anew(kms_key: KmsKey, new: BackingKey, *, alone: bool) -> KmsKey:
    if not kms_key.backing_keys:
        first = changed(kms_key, backing_keys=(new,), current_material_id=new.material_id)
        return _with_state(first)
    if kms_key.key_spec != SYMMETRIC_DEFAULT:
        raise IncorrectKeyMaterialException(
            "The key material does not match the one that is associated with the KMS key."
        )
    for key in kms_key.backing_keys:
        if key.pending:
            raise KMSInvalidStateException(
                f"New key material (id: {new.material_id}) cannot be imported into KMS key "
                f"{kms_key.arn}, because another key material (id: {key.material_id}) is "
                "pending rotation."
            )
    waiting = replace(new, pending=True, everywhere=alone)
    return changed(kms_key, backing_keys=(*kms_key.backing_keys, waiting))


def without_material(
    members: Sequence[KmsKey], kms_key: KmsKey, material_id: str
) -> Sequence[KmsKey]:
    """Return the members of a key's set once the key has lost the bytes of one material.

    The id stays known, unless the primary loses what waited for rotation: then no member has it
    any more. If a replica loses its copy of that, all wait for it to come again.

    Raises:
        NotFoundException: the key never had it.
    """
    known = kms_key.backing_key(material_id)
    if known is None:
        raise NotFoundException(f"Key material {material_id} is not found.")
    if known.pending and not kms_key.is_replica:
        return [_without_waiting(member, material_id) for member in members]
    if known.key_token is None:
        return members
    return [
        _emptied(member, material_id, here=member.region == kms_key.region) for member in members
    ]


def _without_waiting(member: KmsKey, material_id: str) -> KmsKey:
    keys = tuple(key for key in member.backing_keys if key.material_id != material_id)
    # There is nothing left to rotate to.
    return changed(member, backing_keys=keys, rotation_on_demand_at=None)


def _emptied(member: KmsKey, material_id: str, *, here: bool) -> KmsKey:
    known = member.backing_key(material_id)
    if known is None or not (here or known.pending):
        return member
    fields: dict[str, Any] = {}
    if here:
        fields = {"key_token": None, "expiration_model": None, "valid_to": None}
    emptied = replace(known, everywhere=not known.pending, **fields)
    keys = tuple(emptied if key is known else key for key in member.backing_keys)
    after = changed(member, backing_keys=keys)
    return replace(after, rotation_on_demand_at=None) if known.pending else _with_state(after)


def awaiting_everywhere(member: KmsKey) -> KmsKey:
    """Return a member as it is when the set grows: what waits must be imported there as well."""
    if not any(key.pending for key in member.backing_keys):
        return member
    keys = tuple(
        replace(key, everywhere=False) if key.pending else key for key in member.backing_keys
    )
    return replace(member, backing_keys=keys, rotation_on_demand_at=None)


def everywhere_among(member: KmsKey, members: Sequence[KmsKey]) -> KmsKey:
    """Return a member as it is when the set has shrunk to `members`."""
    keys = tuple(
        replace(key, everywhere=all(_has(other, key.material_id) for other in members))
        if key.pending
        else key
        for key in member.backing_keys
    )
    return replace(member, backing_keys=keys)


def _with_state(kms_key: KmsKey) -> KmsKey:
    """Return the key in the state that its materials put it in."""
    state = kms_key.state
    if not kms_key.has_all_material:
        if state in (KeyState.ENABLED, KeyState.DISABLED):
            state = KeyState.PENDING_IMPORT
    elif state is KeyState.PENDING_IMPORT:
        state = KeyState.ENABLED
    return replace(kms_key, state=state)


def _has(member: KmsKey, material_id: str) -> bool:
    key = member.backing_key(material_id)
    return key is not None and key.key_token is not None
