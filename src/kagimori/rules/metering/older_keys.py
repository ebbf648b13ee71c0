"""Changes of KMS keys by the store, where no record of them is kept.

Such keys are older than the journals that are there, or came with a backup.
"""

from collections.abc import Iterator
from typing import Final

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.metering.key_lives import AWS_MANAGED, MADE, ROTATED, SCHEDULED, KeyChange

OF_STORE: Final = "store"  # the identity of a change without a record
_DAY_SECONDS: Final = 86_400


def changes_of(kms_key: KmsKey, now: float) -> Iterator[KeyChange]:
    """Yield the changes that have made a key as it is: none of a key that is not charged for."""
    account_id, region, key_id = kms_key.account_id, kms_key.region, kms_key.key_id
    if kms_key.key_manager == AWS_MANAGED:
        return
    yield KeyChange(
        *(MADE, account_id, region, key_id, int(kms_key.created_at), OF_STORE),
        key_spec=kms_key.key_spec,
        key_manager=kms_key.key_manager,
    )
    for backing_key in kms_key.backing_keys:
        if backing_key.rotated_at is not None:
            at = int(backing_key.rotated_at)
            yield KeyChange(ROTATED, account_id, "", key_id, at, backing_key.material_id)
    if kms_key.state is KeyState.PENDING_DELETION and kms_key.deletion_at is not None:
        days = kms_key.pending_window_days or 0
        since = int(round(kms_key.deletion_at - days * _DAY_SECONDS, 3))
        yield KeyChange(SCHEDULED, account_id, region, key_id, since, OF_STORE)
    elif kms_key.state is KeyState.PENDING_REPLICA_DELETION:
        yield KeyChange(SCHEDULED, account_id, region, key_id, int(now), OF_STORE)
