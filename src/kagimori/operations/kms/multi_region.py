"""The members of a multi-Region set, which share some properties and change them together."""

from collections.abc import Sequence
from typing import Any

from kagimori.entities.tables import KMS_KEYS
from kagimori.ports import Put, View
from kagimori.rules.entity import changed
from kagimori.rules.keys.kms_key import KmsKey


def members_of(view: View, kms_key: KmsKey) -> Sequence[KmsKey]:
    """Return all members of the key's set, itself among them; alone, if it is single-Region."""
    if not kms_key.is_multi_region:
        return (kms_key,)
    found: Sequence[KmsKey] = view.group(KMS_KEYS, "by_id", (kms_key.account_id, kms_key.key_id))
    return found


def change_together(members: Sequence[KmsKey], **shared: Any) -> list[Put]:
    """Return the writes that give every member the same new values."""
    return [Put(KMS_KEYS, changed(member, **shared), member) for member in members]
