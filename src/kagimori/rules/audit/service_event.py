"""Records of what the service does by itself: rotation, deletion, expiry.

Source: reference, section 14.4.
"""

from typing import Any

import msgspec

from kagimori.rules.audit.record import EVENT_VERSION
from kagimori.rules.audit.times import iso_time
from kagimori.rules.keys.kms_key import KmsKey

_encode = msgspec.json.Encoder().encode


def service_event(
    *, event_id: str, now: float, kms_key: KmsKey, name: str, details: dict[str, Any] | None
) -> bytes:
    """Return the record of one service event, as one line of JSON without its newline."""
    record: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": {"accountId": kms_key.account_id, "invokedBy": "AWS Internal"},
        "eventTime": iso_time(now),
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
        "awsRegion": kms_key.region,
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
        "requestParameters": None,
        "responseElements": {"keyId": kms_key.arn} if name != "DeleteExpiredKeyMaterial" else None,
        "eventID": event_id,
        "readOnly": False,
        "resources": [
            {"accountId": kms_key.account_id, "type": "AWS::KMS::Key", "ARN": kms_key.arn}
        ],
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": kms_key.account_id,
        "eventCategory": "Management",
    }
    if details is not None:
        record["serviceEventDetails"] = details
    return _encode(record)
