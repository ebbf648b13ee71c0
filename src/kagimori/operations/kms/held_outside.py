"""Keys that a custom key store holds: where commands about them go, and what records show."""

from typing import Any

import msgspec

from kagimori.gate.asked import Request
from kagimori.ports import Outside, Place, Purpose
from kagimori.rules.identity.service import via_service
from kagimori.rules.keys.kms_key import CLOUDHSM, KmsKey
from kagimori.rules.refusal import KMSInternalException


def purpose_of(asked: Request) -> Purpose:
    """Return the purpose of a request, as holders outside our own HSM are shown it."""
    caller = asked.caller
    via = caller.via
    return Purpose(
        asked.call.operation,
        asked.raw.request_id,
        caller.principal.arn,
        None if via is None else via_service(via, asked.call.region),
    )


def place_of(kms_key: KmsKey, material_id: str | None = None) -> Place | None:
    """Return the place of a key in its custom key store; None if our own HSM holds it."""
    if kms_key.custom_key_store_id is None:
        return None
    if kms_key.key_store is None:  # never by itself: a store with keys is not deleted
        raise KMSInternalException
    name = kms_key.xks_key_id or material_id or kms_key.current_material_id or ""
    return Place(kms_key.key_store, name, kms_key.arn)


def outside_of(
    asked: Request, kms_key: KmsKey, destination: KmsKey | None = None
) -> Outside | None:
    """Return where custom key stores hold the keys of a command; None if our own HSM has them."""
    source = place_of(kms_key)
    target = None if destination is None else place_of(destination)
    if source is None and target is None:
        return None
    return Outside(purpose_of(asked), source, target)


def used_in_store(kms_key: KmsKey, material_id: str, side: str = "") -> dict[str, Any]:
    """Return the store that was used and the key's name there, for the record.

    `side` is `source` or `destination` of ReEncrypt.

    Source: KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail" (Decrypt).
    """
    shown = {f"{side}CustomKeyStoreId" if side else "customKeyStoreId": kms_key.custom_key_store_id}
    if kms_key.xks_key_id is not None:
        return {**shown, f"{side}XksKeyId" if side else "xksKeyId": kms_key.xks_key_id}
    return {**shown, f"{side}BackingKeyId" if side else "backingKeyId": material_id}


def made_in_store(kms_key: KmsKey) -> dict[str, Any] | None:
    """Return the backing key that CreateKey made in a cluster, for the record."""
    if kms_key.origin != CLOUDHSM:
        return None
    return {"backingKey": msgspec.json.encode(_backing_key(kms_key)).decode()}


def lost_in_store(kms_key: KmsKey, status: str | None = None) -> dict[str, Any] | None:
    """Return the backing keys that a deletion takes from a cluster, for the record.

    `status` is what came of it, SUCCESS or FAILURE; None as long as it is only scheduled.

    Source: KMS Developer Guide, "DeleteKey" and "ScheduleKeyDeletion" (CloudTrail log entries).
    """
    if kms_key.origin != CLOUDHSM:
        return None
    key = _backing_key(kms_key)
    store = kms_key.key_store
    shown = {
        "customKeyStoreId": kms_key.custom_key_store_id,
        "clusterId": None if store is None else store.cluster_id,
        "backingKeys": msgspec.json.encode([key]).decode(),
    }
    if status is not None:
        ended = [{**key, "deletionStatus": status}]
        shown["backingKeysDeletionStatus"] = msgspec.json.encode(ended).decode()
    return shown


def _backing_key(kms_key: KmsKey) -> dict[str, Any]:
    return {"backingKeyId": kms_key.current_material_id}
