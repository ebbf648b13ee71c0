"""Copies of a cross-account event: one for the caller's account, one for the key's owner.

The journal holds the caller's; the owner's is made from it whenever it is shown.
Source: CloudTrail User Guide, "CloudTrail record contents"; KMS Developer Guide, "Logging AWS KMS
API calls with AWS CloudTrail".
"""

import json
from typing import Any
from uuid import UUID, uuid5


def owners_copy(record: bytes, owner: str) -> bytes:
    """Return the copy of a cross-account event that the trail of the key's owner has.

    It shows the caller's account, not who there it was. Source: CloudTrail User Guide, "CloudTrail
    record contents"; KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail".
    """
    event: dict[str, Any] = json.loads(record)
    identity = event["userIdentity"]
    event["userIdentity"] = {
        "type": "AWSAccount",
        "principalId": identity.get("principalId"),
        "accountId": identity.get("accountId"),
    }
    event["sharedEventID"] = shared_event_id(event["eventID"])
    event["eventID"] = owners_event_id(event["eventID"], owner)
    event["recipientAccountId"] = owner
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def shared_event_id(event_id: str) -> str:
    """Return the `sharedEventID` of the copies of a cross-account event."""
    return str(uuid5(UUID(event_id), "shared"))


def owners_event_id(event_id: str, owner: str) -> str:
    """Return the id of the copy that the key's owner has."""
    return str(uuid5(UUID(event_id), owner))
