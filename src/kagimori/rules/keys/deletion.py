"""Scheduled deletion of keys: the waiting period and the state while it runs.

Source: KMS Developer Guide, "Delete an AWS KMS key".
"""

from typing import Final

from kagimori.rules.entity import changed
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.refusal import ValidationException

WINDOW_DAYS_MIN: Final = 7
WINDOW_DAYS_MAX: Final = 30
WINDOW_DAYS_DEFAULT: Final = 30
_SECONDS_PER_DAY: Final = 86_400


def check_window(days: int | None) -> None:
    """Check that a waiting period is within bounds.

    Raises:
        ValidationException: too short, or too long.
    """
    if days is not None and not WINDOW_DAYS_MIN <= days <= WINDOW_DAYS_MAX:
        raise ValidationException("PendingWindowInDays must be between 7 and 30")


def scheduled_for_deletion(
    kms_key: KmsKey, now: float, days: int, *, waits_for_replicas: bool
) -> KmsKey:
    """Return the key scheduled for deletion; a primary waits first until its replicas are gone."""
    if waits_for_replicas:
        return changed(kms_key, state=KeyState.PENDING_REPLICA_DELETION, pending_window_days=days)
    return changed(
        kms_key,
        state=KeyState.PENDING_DELETION,
        deletion_at=now + days * _SECONDS_PER_DAY,
        pending_window_days=days,
    )
