"""Notices for webhooks and commands, in EventBridge's shape, made from records and keys.

AWS's own events have the source `aws.kms`; events that AWS does not have, `kagimori`.
Source: KMS Developer Guide, "Monitor KMS keys with Amazon EventBridge"; EventBridge User Guide,
"event structure".
"""

from collections.abc import Container, Iterator
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Struct

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.records.entry import Entry
from kagimori.rules.records.times import iso_time

CANARY_TAG: Final = "kagimori:canary"
AWS_SOURCE, OWN_SOURCE = "aws.kms", "kagimori"
API_CALL: Final = "AWS API Call via CloudTrail"
CANARY_TOUCHED: Final = "KMS Canary Key Touched"
DENIAL_STORM: Final = "KMS Denial Storm"
DELETION_APPROACHES: Final = "KMS CMK Deletion Approaching"
EXPIRATION_APPROACHES: Final = "KMS Imported Key Material Expiration Approaching"

# Service events by the name of their record: detail-type, and which of their details are shown.
_SERVICE_EVENTS: Final = {
    "RotateKey": (
        "KMS CMK Rotation",
        {
            "key-id": "keyId",
            "key-origin": "keyOrigin",
            "rotation-type": "rotationType",
            "previous-key-material-id": "previousKeyMaterialId",
            "current-key-material-id": "currentKeyMaterialId",
        },
    ),
    "DeleteExpiredKeyMaterial": (
        "KMS Imported Key Material Expiration",
        {"key-id": "keyId", "key-material-id": "keyMaterialId"},
    ),
    "DeleteKey": ("KMS CMK Deletion", {}),
}
# Service events of our own about the store: detail-type by the name of their record.
_STORE_EVENTS: Final = {
    "DetectAlteredStore": "Kagimori Store Altered",
    "AcceptStoreRollback": "Kagimori Store Rollback Accepted",
}
_CALLS: Final = frozenset(("ScheduleKeyDeletion", "CancelKeyDeletion"))
# What operators decide about, and what the administrator does without them, by the operation.
OWN_EVENT_SOURCE: Final = "kagimori.amazonaws.com"
_DECISIONS: Final = {
    "RequestApproval": "Kagimori Approval Requested",
    "SignApproval": "Kagimori Approval Signed",
    "RefuseApproval": "Kagimori Approval Refused",
    "ExecuteApproval": "Kagimori Approval Executed",
    "AddOperators": "Kagimori Dangerous Action Without Approval",
    "DestroyDomainKeys": "Kagimori Dangerous Action Without Approval",
    "RemoveSeal": "Kagimori Dangerous Action Without Approval",
    "ZeroizeHsm": "Kagimori Dangerous Action Without Approval",
}
_INTERNAL: Final = "AWS Internal"
# What every record that could matter has, beside the ARN of a canary key.
NEEDLES: Final = (
    b'"errorCode"',
    b"KeyDeletion",
    b"ImportKeyMaterial",
    b'"AwsServiceEvent"',
    OWN_EVENT_SOURCE.encode(),
)
APPROACH_BEGINS: Final = frozenset(("ScheduleKeyDeletion", "ImportKeyMaterial"))


class Notice(Struct, frozen=True, rename="kebab"):
    """One event. `id` is the same whenever the same notice is sent again; `time` is ISO 8601."""

    id: str
    detail_type: str
    source: str
    account: str
    time: str
    region: str
    resources: tuple[str, ...]
    detail: Any
    version: str = "0"

    def as_json(self) -> bytes:
        return _encode(self)


_encode: Final = msgspec.json.Encoder().encode


def notice_id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "kagimori/" + "/".join(parts)))


def notices_of(entry: Entry, record: bytes, canaries: Container[str]) -> Iterator[Notice]:
    """Yield the notices that follow from one record; `canaries` are ARNs."""
    resources = tuple(resource.arn for resource in entry.resources or ())
    is_internal = entry.user_identity.invoked_by == _INTERNAL
    if is_internal and entry.event_name in _SERVICE_EVENTS:
        detail_type, names = _SERVICE_EVENTS[entry.event_name]
        details = msgspec.json.decode(record).get("serviceEventDetails") or {}
        shown = {name: details[member] for name, member in names.items() if member in details}
        shown.setdefault("key-id", resources[0].rpartition("/")[2] if resources else "")
        yield _of_record(entry, detail_type, AWS_SOURCE, resources, shown)
    if is_internal and entry.event_name in _STORE_EVENTS:
        detail = msgspec.Raw(record)
        yield _of_record(entry, _STORE_EVENTS[entry.event_name], OWN_SOURCE, (), detail)
    if entry.event_name in _CALLS and entry.error_code is None:
        yield _of_record(entry, API_CALL, AWS_SOURCE, (), msgspec.Raw(record))
    if entry.event_source == OWN_EVENT_SOURCE and entry.error_code is None:
        decision = _DECISIONS.get(entry.event_name)
        if decision is not None:
            yield _of_record(entry, decision, OWN_SOURCE, resources, msgspec.Raw(record))
    if not is_internal and entry.event_name != "CreateKey":
        touched = tuple(arn for arn in dict.fromkeys(resources) if arn in canaries)
        if touched:
            yield _of_record(entry, CANARY_TOUCHED, OWN_SOURCE, touched, msgspec.Raw(record))


def _of_record(
    entry: Entry, detail_type: str, source: str, resources: tuple[str, ...], detail: Any
) -> Notice:
    account = resources[0].split(":")[4] if resources else entry.recipient_account_id
    return Notice(
        id=notice_id(entry.event_id, detail_type),
        detail_type=detail_type,
        source=source,
        account=account,
        time=entry.event_time,
        region=entry.aws_region,
        resources=resources,
        detail=detail,
    )


def approaching(kms_key: KmsKey, now: float, ahead: float) -> Iterator[tuple[Notice, float]]:
    """Yield the events that will come to a key within so many seconds, with their times."""
    if kms_key.state is KeyState.PENDING_DELETION and kms_key.deletion_at is not None:
        at = kms_key.deletion_at
        if now < at <= now + ahead:
            detail = {"key-id": kms_key.key_id, "deletion-date": iso_time(at)}
            yield _of_key(kms_key, DELETION_APPROACHES, now, detail, str(at)), at
    for material in kms_key.backing_keys:
        expires = material.valid_to
        if material.key_token is not None and expires is not None and now < expires <= now + ahead:
            detail = {
                "key-id": kms_key.key_id,
                "key-material-id": material.material_id,
                "valid-to": iso_time(expires),
            }
            which = f"{material.material_id}/{expires}"
            yield _of_key(kms_key, EXPIRATION_APPROACHES, now, detail, which), expires


def _of_key(
    kms_key: KmsKey, detail_type: str, now: float, detail: dict[str, str], which: str
) -> Notice:
    return Notice(
        id=notice_id(kms_key.arn, detail_type, which),
        detail_type=detail_type,
        source=OWN_SOURCE,
        account=kms_key.account_id,
        time=iso_time(now),
        region=kms_key.region,
        resources=(kms_key.arn,),
        detail=detail,
    )
