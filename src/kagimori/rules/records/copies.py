"""Copies of an event: for the account that owns the key, and for the other region it is about.

The journal holds the caller's, in the region that was asked; the others are made from it whenever
they are shown.
Source: CloudTrail User Guide, "CloudTrail record contents"; KMS Developer Guide, "Logging AWS KMS
API calls with AWS CloudTrail".
"""

import json
from typing import Any, Final
from uuid import UUID, uuid5

# Of a replica's CreateKey: what ReplicateKey was asked for, and what follows from the primary.
_ASKED_OF_NEW_KEY: Final = ("policy", "description", "bypassPolicyLockoutSafetyCheck", "tags")
_MADE_OF_NEW_KEY: Final = ("keySpec", "customerMasterKeySpec", "keyUsage", "origin", "multiRegion")


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


def copy_in_other_region(record: bytes, region: str) -> bytes:
    """Return the event that the trail of another region has of the same request.

    A key that was replicated was created there; where the primary moved to, the move is recorded.
    Source: KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail" (ReplicateKey,
    UpdatePrimaryRegion).
    """
    event: dict[str, Any] = json.loads(record)
    elements = event["responseElements"] or {}
    event["awsRegion"] = region
    event["eventID"] = str(uuid5(UUID(event["eventID"]), region))
    if event["eventName"] == "ReplicateKey":
        made = elements.get("replicaKeyMetadata") or {}
        asked = event["requestParameters"]
        shown = {name: asked[name] for name in _ASKED_OF_NEW_KEY if name in asked}
        event["eventName"] = "CreateKey"
        event["requestParameters"] = shown | {name: made.get(name) for name in _MADE_OF_NEW_KEY}
        event["responseElements"] = {"keyMetadata": made}
        arns = [made.get("arn")]
    else:
        resources = event["resources"] or []
        arns = [one["ARN"] for one in resources if one["ARN"].split(":")[3] == region]
        event["responseElements"] = {"keyId": arns[0] if arns else None}
    account_id = event["recipientAccountId"]
    event["resources"] = [
        {"accountId": account_id, "type": "AWS::KMS::Key", "ARN": arn} for arn in arns
    ]
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def shared_event_id(event_id: str) -> str:
    """Return the `sharedEventID` of the copies of a cross-account event."""
    return str(uuid5(UUID(event_id), "shared"))


def owners_event_id(event_id: str, owner: str) -> str:
    """Return the id of the copy that the key's owner has."""
    return str(uuid5(UUID(event_id), owner))
