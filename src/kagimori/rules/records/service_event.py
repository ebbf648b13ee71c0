"""Records of events without a request: rotation, deletion, expiry, a new deployment or account.

Source: CloudTrail User Guide, "AWS service events".
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.records.record import EVENT_VERSION
from kagimori.rules.records.times import iso_time

_encode = msgspec.json.Encoder().encode


class ServiceRecord(Struct, frozen=True):
    """The record of a change made outside a request: its id, and its line of JSON."""

    event_id: str
    line: bytes


def service_event(
    *,
    event_id: str,
    now: float,
    kms_key: KmsKey,
    name: str,
    details: dict[str, Any] | None,
    additional: dict[str, Any] | None = None,
) -> bytes:
    """Return the record of one service event, as one line of JSON without its newline."""
    record = _base(
        "kms",
        name,
        event_id=event_id,
        now=now,
        account_id=kms_key.account_id,
        region=kms_key.region,
    )
    if name != "DeleteExpiredKeyMaterial":
        record["responseElements"] = {"keyId": kms_key.arn}
    record["resources"] = [
        {"accountId": kms_key.account_id, "type": "AWS::KMS::Key", "ARN": kms_key.arn}
    ]
    if additional is not None:
        record["additionalEventData"] = additional
    if details is not None:
        record["serviceEventDetails"] = details
    return _encode(record)


def key_store_event(
    *, event_id: str, now: float, store: CustomKeyStore, request_name: str
) -> ServiceRecord:
    """Return the record of how a connection that a request began, or gave up, has ended."""
    record = _base(
        "kms",
        f"{request_name}Result",
        event_id=event_id,
        now=now,
        account_id=store.account_id,
        region=store.region,
    )
    details = {"customKeyStoreId": store.key_store_id, "connectionState": store.state.value}
    if store.error_code is not None:
        details["connectionErrorCode"] = store.error_code
    record["serviceEventDetails"] = details
    return ServiceRecord(event_id, _encode(record))


def deployment_created(
    *, event_id: str, now: float, account_id: str, regions: Sequence[str]
) -> ServiceRecord:
    """Return the record of a new deployment; `account_id` is the operators' account."""
    details = {"operatorAccountId": account_id, "regions": list(regions)}
    return _of_deployment(
        "CreateDeployment",
        details,
        event_id=event_id,
        now=now,
        account_id=account_id,
        region=regions[0],
    )


def domains_sealed_anew(
    *, event_id: str, now: float, account_id: str, region: str, seals: Sequence[str]
) -> ServiceRecord:
    """Return the record of sealed domains of an earlier version that were sealed anew.

    `account_id` is the operators' account that is sealed with them; `seals` are kinds of seals.
    """
    details = {"operatorAccountId": account_id, "seals": list(seals)}
    return _of_deployment(
        "SealDomainsAnew",
        details,
        event_id=event_id,
        now=now,
        account_id=account_id,
        region=region,
    )


def audit_key_created(
    *, event_id: str, now: float, account_id: str, region: str, fingerprint: str
) -> ServiceRecord:
    """Return the record of the key that signs digests; its fingerprint names it in them."""
    details = {"publicKeyFingerprint": fingerprint}
    return _of_deployment(
        "CreateAuditKey",
        details,
        event_id=event_id,
        now=now,
        account_id=account_id,
        region=region,
    )


def account_created(
    *, event_id: str, now: float, account_id: str, region: str, access_key_id: str
) -> ServiceRecord:
    """Return the record of a new account, in the form that AWS Organizations gives it.

    It also names the access key of the account's root user, which is made with it.
    """
    record = _base(
        "organizations",
        "CreateAccountResult",
        event_id=event_id,
        now=now,
        account_id=account_id,
        region=region,
    )
    record["serviceEventDetails"] = {
        "createAccountStatus": {"accountId": account_id, "state": "SUCCEEDED"},
        "rootAccessKeyId": access_key_id,
    }
    return ServiceRecord(event_id, _encode(record))


def service_key_event(
    *,
    event_id: str,
    now: float,
    account_id: str,
    name: str,
    service: str,
    access_key_id: str,
    region: str,
) -> ServiceRecord:
    """Return the record of an access key of a service that was made or taken away."""
    details = {"servicePrincipal": service, "accessKeyId": access_key_id}
    return _of_deployment(
        name, details, event_id=event_id, now=now, account_id=account_id, region=region
    )


def keys_seeded(
    *, event_id: str, now: float, account_id: str, region: str, key_arns: Sequence[str]
) -> ServiceRecord:
    """Return the record of KMS keys that a seed file put into a new deployment."""
    record = _base(
        "kagimori", "SeedKeys", event_id=event_id, now=now, account_id=account_id, region=region
    )
    record["resources"] = [
        {"accountId": account_id, "type": "AWS::KMS::Key", "ARN": arn} for arn in key_arns
    ]
    return ServiceRecord(event_id, _encode(record))


def _of_deployment(
    name: str,
    details: dict[str, Any],
    *,
    event_id: str,
    now: float,
    account_id: str,
    region: str,
) -> ServiceRecord:
    """Return a record of what belongs to the deployment; its operators' account keeps it."""
    record = _base(
        "kagimori", name, event_id=event_id, now=now, account_id=account_id, region=region
    )
    record["serviceEventDetails"] = details
    return ServiceRecord(event_id, _encode(record))


def journal_event(
    *,
    event_id: str,
    now: float,
    name: str,
    region: str,
    details: dict[str, Any],
    account_id: str = "",
) -> ServiceRecord:
    """Return the record of something that the service did to its own journals."""
    return _of_deployment(
        name, details, event_id=event_id, now=now, account_id=account_id, region=region
    )


def backup_event(
    *,
    event_id: str,
    now: float,
    name: str,
    account_id: str,
    region: str,
    details: dict[str, Any],
) -> ServiceRecord:
    """Return the record of a backup's key that was made, or of a restore, without a server."""
    return _of_deployment(
        name, details, event_id=event_id, now=now, account_id=account_id, region=region
    )


def domain_event(
    *,
    event_id: str,
    now: float,
    name: str,
    account_id: str,
    region: str,
    details: dict[str, Any],
) -> ServiceRecord:
    """Return the record of a step in the life of domain keys; the operators' account keeps it."""
    return _of_deployment(
        name, details, event_id=event_id, now=now, account_id=account_id, region=region
    )


def _base(
    service: str, name: str, *, event_id: str, now: float, account_id: str, region: str
) -> dict[str, Any]:
    return {
        "eventVersion": EVENT_VERSION,
        "userIdentity": {"accountId": account_id, "invokedBy": "AWS Internal"},
        "eventTime": iso_time(now),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
        "requestParameters": None,
        "responseElements": None,
        "eventID": event_id,
        "readOnly": False,
        "resources": [],
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": account_id,
        "eventCategory": "Management",
    }
