"""The bytes that an operator signs to approve or to refuse a dangerous action.

They are put together from the request as it is shown, so that a person signs what they see, and not
what a server says the bytes are. Source: docs/look-up/approvals.md.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

APPROVE: Final = "approve"
REFUSE: Final = "refuse"
# The members that are signed, by their names in the signed text.
_SIGNED: Final = {
    "request_id": "RequestId",
    "deployment_id": "DeploymentId",
    "action": "Action",
    "resource": "Resource",
    "parameters": "Parameters",
    "reason": "Reason",
    "made_by": "MadeBy",
}
_TIMES: Final = {"made_at": "MadeAt", "not_before": "NotBefore", "expires_at": "ExpiresAt"}
_POLICY_SHA256: Final = "policy_sha256"


class NotAsShown(Exception):
    """A request that lacks a member, or whose document is not the one that is signed."""


def signed_text(decision: str, approval: Mapping[str, Any]) -> bytes:
    """Return the bytes to sign for a decision on a request, in the members of `GetApproval`.

    Raises:
        NotAsShown: a member is missing, or the document has another digest.
    """
    try:
        request = {name: approval[member] for name, member in _SIGNED.items()}
        times = {name: _seconds(approval[member]) for name, member in _TIMES.items()}
    except (KeyError, TypeError, ValueError):
        raise NotAsShown("the request lacks a member that is signed") from None
    digest = request["parameters"].get(_POLICY_SHA256)
    document = approval.get("Document")
    if document is not None and hashlib.sha256(document.encode()).hexdigest() != digest:
        raise NotAsShown("the document is not the one that would be approved")
    text = json.dumps(
        {**request, **times}, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return f"kagimori {decision} v1\n".encode() + text.encode()


def _seconds(value: Any) -> int:
    """Return a time as whole seconds since the epoch; botocore gives it as a `datetime`."""
    return int(value.timestamp() if hasattr(value, "timestamp") else value)
