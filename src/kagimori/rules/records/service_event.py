"""Records of what the service does by itself: rotation, deletion, expiry, a new account.

Source: reference, section 14.4.
"""

from typing import Any

import msgspec

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.records.record import EVENT_VERSION
from kagimori.rules.records.times import iso_time

_encode = msgspec.json.Encoder().encode


def service_event(
    *, event_id: str, now: float, kms_key: KmsKey, name: str, details: dict[str, Any] | None
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
    if details is not None:
        record["serviceEventDetails"] = details
    return _encode(record)


def account_created(*, event_id: str, now: float, account_id: str, region: str) -> bytes:
    """Return the record of a new account, in the form that AWS Organizations gives it."""
    record = _base(
        "organizations",
        "CreateAccountResult",
        event_id=event_id,
        now=now,
        account_id=account_id,
        region=region,
    )
    record["serviceEventDetails"] = {
        "createAccountStatus": {"accountId": account_id, "state": "SUCCEEDED"}
    }
    return _encode(record)


def service_key_event(
    *, event_id: str, now: float, name: str, service: str, access_key_id: str, region: str
) -> bytes:
    """Return the record of an access key of a service that was made or taken away."""
    record = _base("kagimori", name, event_id=event_id, now=now, account_id="", region=region)
    record["serviceEventDetails"] = {"servicePrincipal": service, "accessKeyId": access_key_id}
    return _encode(record)


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
