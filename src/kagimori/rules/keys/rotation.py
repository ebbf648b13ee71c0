"""Rotation of key material: permitted keys, schedule, and the key after a rotation.

Source: KMS Developer Guide, "Rotate AWS KMS keys".
"""

from typing import Any, Final

from kagimori.rules.entity import changed
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, BackingKey, KmsKey
from kagimori.rules.keys.usage import check_own
from kagimori.rules.refusal import (
    ConflictException,
    KMSInvalidStateException,
    LimitExceededException,
    UnsupportedOperationException,
)

PERIOD_DAYS_DEFAULT: Final = 365
ON_DEMAND_MAX: Final = 25
SECONDS_PER_DAY: Final = 86_400
_CONFLICT_SECONDS: Final = 20 * 60


def check_kind(kms_key: KmsKey) -> None:
    """Check that keys of this kind rotate at all.

    Raises:
        UnsupportedOperationException: asymmetric and HMAC keys (no message), replicas, and keys
            that a custom key store holds.
    """
    if kms_key.key_spec != SYMMETRIC_DEFAULT:
        raise UnsupportedOperationException
    check_own(kms_key)
    if kms_key.is_replica:
        raise UnsupportedOperationException(f"{kms_key.arn} is not a multi-region primary key.")


def check_automatic(kms_key: KmsKey) -> None:
    """Check that the key may rotate by itself.

    Raises:
        UnsupportedOperationException: another kind, or imported material.
    """
    check_kind(kms_key)
    if kms_key.origin != "AWS_KMS":
        raise UnsupportedOperationException(
            f"{kms_key.arn} origin is {kms_key.origin} which is not valid for this operation."
        )


def check_on_demand(kms_key: KmsKey, now: float) -> None:
    """Check that the key may be rotated now.

    Raises:
        LimitExceededException: as often as a key may be, in its life.
        ConflictException: a rotation is under way, or about to be.
        KMSInvalidStateException: imported material, and none that waits.
    """
    if kms_key.rotations_on_demand >= ON_DEMAND_MAX:
        raise LimitExceededException(
            "The on-demand rotations limit has been reached for the given keyId. No more "
            f"on-demand rotations can be performed for this key: {kms_key.arn}"
        )
    due = kms_key.rotation_next_at
    if kms_key.rotation_on_demand_at is not None or (
        due is not None and due - now < _CONFLICT_SECONDS
    ):
        raise ConflictException(f"A rotation of {kms_key.arn} is in progress or about to begin.")
    waiting = any(key.pending and key.everywhere for key in kms_key.backing_keys)
    if kms_key.origin == "EXTERNAL" and not waiting:
        raise KMSInvalidStateException(
            f"No available key material pending rotation for the key: {kms_key.arn}."
        )


def next_rotation_at(kms_key: KmsKey, period_days: int, now: float) -> float:
    """Return when a key rotates next under a new period: that long after it last did, or from now.

    A date that would have passed already becomes one period from now.
    """
    seconds = period_days * SECONDS_PER_DAY
    if kms_key.rotation_period_days is None or kms_key.rotation_next_at is None:
        return now + seconds
    last = kms_key.rotation_next_at - kms_key.rotation_period_days * SECONDS_PER_DAY
    return last + seconds if last + seconds > now else now + seconds


def rotated(kms_key: KmsKey, new: BackingKey, *, automatic: bool) -> KmsKey:
    """Return the key with new material in use.

    INVARIANT(old-ciphertext-lives): the old stays, for what it encrypted.
    """
    others = tuple(key for key in kms_key.backing_keys if key.material_id != new.material_id)
    fields: dict[str, Any] = {
        "backing_keys": (*others, new),
        "current_material_id": new.material_id,
    }
    if automatic and kms_key.rotation_period_days and kms_key.rotation_next_at is not None:
        period = kms_key.rotation_period_days * SECONDS_PER_DAY
        # Dates that were missed (the key was disabled, say) are made up for by this one rotation.
        late = max(0.0, (new.rotated_at or 0.0) - kms_key.rotation_next_at)
        fields["rotation_next_at"] = kms_key.rotation_next_at + period * (late // period + 1)
    if not automatic:
        fields["rotation_on_demand_at"] = None
    return changed(kms_key, **fields)
