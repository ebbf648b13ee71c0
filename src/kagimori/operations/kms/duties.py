"""Duties of keys that time brings: rotation, deletion, expiry of imported material. Pure.

A duty is decided upon the key as it is, asks the HSM at most one thing, and leaves one record: an
event of the service itself. Source: KMS Developer Guide, "Rotate AWS KMS keys", "Importing key
material for AWS KMS keys" and "Delete an AWS KMS key"; CloudTrail User Guide, "AWS service events".
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from kagimori.entities.tables import ALIASES, GRANTS, KEY_STORES, KEY_USAGES, KMS_KEYS, MATERIALS
from kagimori.operations.kms.held_outside import lost_in_store, place_of
from kagimori.operations.kms.lost_material import forgetting, material_row, writes_of_loss
from kagimori.operations.kms.multi_region import members_of
from kagimori.ports import Delete, Outside, Purpose, Put, View, Write
from kagimori.rules.entity import changed
from kagimori.rules.keys.deletion import scheduled_for_deletion
from kagimori.rules.keys.import_material import everywhere_among
from kagimori.rules.keys.kms_key import CLOUDHSM, BackingKey, KmsKey
from kagimori.rules.keys.rotation import rotated
from kagimori.rules.keys.states import KeyState
from kagimori_boundary.commands import Command, GenerateKey
from kagimori_boundary.replies import NewKey


class Due(Struct, gc=False):
    """One key whose time has come, and when it is looked at (seconds since the epoch)."""

    kms_key: KmsKey
    now: float
    view: View


class Done(Struct, gc=False):
    """The result of a duty: the writes, and the record of the event.

    `afterwards` is for the HSM once the changes are committed.
    """

    writes: Sequence[Write]
    event_name: str
    details: dict[str, Any] | None = None
    afterwards: Command | None = None
    additional: dict[str, Any] | None = None


class Duty(ABC):
    """One kind of duty. `is_best_effort`: it is done even if the holder of the key refuses."""

    is_best_effort: ClassVar[bool] = False

    def outside(self, due: Due) -> Outside | None:
        """Return where a custom key store holds the key of the command, if one does."""
        return None

    def ask(self, due: Due) -> Command | None:
        """Return the command for the HSM, if there is one."""
        return None

    @abstractmethod
    def finish(self, due: Due, reply: Any) -> Done:
        """Return the changes to make."""


def duty_of(kms_key: KmsKey, now: float) -> Duty | None:
    """Return the duty that is due for a key now; None if there is none."""
    if kms_key.due_at is None or kms_key.due_at > now:
        return None
    if kms_key.state is KeyState.PENDING_DELETION and (kms_key.deletion_at or 0.0) <= now:
        return DeleteKey()
    if any(key.valid_to is not None and key.valid_to <= now for key in kms_key.backing_keys):
        return DeleteExpiredKeyMaterial()
    return RotateKey()


class RotateKey(Duty):
    def ask(self, due: Due) -> Command | None:
        kms_key = due.kms_key
        if kms_key.origin != "AWS_KMS":
            return None
        others = tuple(member.region for member in self._others(due))
        return GenerateKey(
            kms_key.account_id,
            kms_key.region,
            kms_key.key_id,
            kms_key.key_spec,
            kms_key.key_usage,
            kms_key.origin,
            others,
        )

    def finish(self, due: Due, reply: NewKey | None) -> Done:
        kms_key = due.kms_key
        automatic = kms_key.rotation_on_demand_at is None
        kind = "AUTOMATIC" if automatic else "ON_DEMAND"
        members = (kms_key, *self._others(due))
        tokens = (reply.key_token, *reply.replica_tokens) if reply else (None,) * len(members)
        writes: list[Write] = []
        for member, token in zip(members, tokens, strict=True):
            if reply is None:
                new = _waiting(member, due.now, kind)
            else:
                new = BackingKey(
                    material_id=reply.material_id.hex(),
                    key_token=token,
                    created_at=due.now,
                    rotated_at=due.now,
                    rotation_type=kind,
                )
                writes.append(Put(MATERIALS, material_row(member, new.material_id)))
            if new is None:
                continue
            writes.append(Put(KMS_KEYS, rotated(member, new, automatic=automatic), member))
            current = new.material_id
        return Done(
            writes,
            "RotateKey",
            {
                "keyId": kms_key.key_id,
                "rotationType": kind,
                "keyOrigin": kms_key.origin,
                "previousKeyMaterialId": kms_key.current_material_id,
                "currentKeyMaterialId": current,
            },
        )

    @staticmethod
    def _others(due: Due) -> list[KmsKey]:
        members = members_of(due.view, due.kms_key)
        return [member for member in members if member.region != due.kms_key.region]


class DeleteExpiredKeyMaterial(Duty):
    def finish(self, due: Due, reply: Any) -> Done:
        kms_key, ids = due.kms_key, [key.material_id for key in _expired(due)]
        details = {"keyId": kms_key.key_id, "keyMaterialId": ids[0]}
        writes = writes_of_loss(members_of(due.view, kms_key), kms_key, ids)
        return Done(
            writes, "DeleteExpiredKeyMaterial", details, afterwards=forgetting(kms_key, ids)
        )


class DeleteKey(Duty):
    """Deletes a key; a cluster is asked to delete the backing key, but cannot hold it up."""

    is_best_effort = True

    def outside(self, due: Due) -> Outside | None:
        place = place_of(_in_its_store(due))
        return None if place is None else Outside(Purpose("DeleteKey"), place)

    def ask(self, due: Due) -> Command | None:
        kms_key = _in_its_store(due)
        if kms_key.origin != CLOUDHSM or kms_key.key_store is None:
            return None
        is_there = kms_key.key_store.is_connected
        return forgetting(kms_key, _ids(kms_key)) if is_there else None

    def finish(self, due: Due, reply: Any) -> Done:
        kms_key, view = due.kms_key, due.view
        owner = (kms_key.account_id, kms_key.region, kms_key.key_id)
        writes: list[Write] = [Delete(KMS_KEYS, kms_key, destroys=True)]
        writes += [Delete(ALIASES, alias) for alias in view.group(ALIASES, "by_key", owner)]
        writes += [Delete(GRANTS, grant) for grant in view.group(GRANTS, "by_key", owner)]
        writes += [Delete(KEY_USAGES, usage) for usage in view.page(KEY_USAGES, owner, None, 1)]
        for key in kms_key.backing_keys:
            material = view.one(MATERIALS, (kms_key.region, key.material_id))
            if material is not None:
                writes.append(Delete(MATERIALS, material))
        left = [m for m in members_of(view, kms_key) if m.region != kms_key.region]
        for member in left:
            after = everywhere_among(_without_replica(member, kms_key, due.now), left)
            writes.append(Put(KMS_KEYS, after, member))
        if kms_key.origin == CLOUDHSM:
            status = "FAILURE" if reply is None else "SUCCESS"
            return Done(writes, "DeleteKey", additional=lost_in_store(_in_its_store(due), status))
        return Done(writes, "DeleteKey", afterwards=forgetting(kms_key, _ids(kms_key)))


def _in_its_store(due: Due) -> KmsKey:
    """Return the key together with the custom key store that holds it, if one does."""
    kms_key = due.kms_key
    if kms_key.custom_key_store_id is None:
        return kms_key
    key = (kms_key.account_id, kms_key.region, kms_key.custom_key_store_id)
    return kms_key.seen_in(due.view.one(KEY_STORES, key))


def _ids(kms_key: KmsKey) -> list[str]:
    return [key.material_id for key in kms_key.backing_keys]


def _without_replica(member: KmsKey, gone: KmsKey, now: float) -> KmsKey:
    regions = tuple(region for region in member.replica_regions if region != gone.region)
    after = changed(member, replica_regions=regions)
    waits = member.state is KeyState.PENDING_REPLICA_DELETION
    if not waits or regions:
        return after
    days = member.pending_window_days or 0
    started = scheduled_for_deletion(after, now, days, waits_for_replicas=False)
    return _as_one_change(member, started)


def _as_one_change(before: KmsKey, after: KmsKey) -> KmsKey:
    return replace(after, version=before.version + 1)


def _expired(due: Due) -> list[BackingKey]:
    return [
        key
        for key in due.kms_key.backing_keys
        if key.key_token is not None and key.valid_to is not None and key.valid_to <= due.now
    ]


def _waiting(member: KmsKey, now: float, kind: str) -> BackingKey | None:
    """Return imported material that waited for its rotation, as it is from then on."""
    for key in member.backing_keys:
        if key.pending:
            return replace(key, pending=False, rotated_at=now, rotation_type=kind)
    return None
