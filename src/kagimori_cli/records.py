"""One audit record in one line: when, who, what, on what, with which result, from where."""

import json
from typing import Any, Final

from rich.text import Text

HEADINGS: Final = ("time", "who", "event", "on", "result", "from")
WHOLE: Final = ("time", "event", "result")
_ARN_PARTS: Final = 6


def cells(record: str | bytes) -> list[Text]:
    """Return the cells of a record's line, in the order of HEADINGS."""
    found: dict[str, Any] = json.loads(record)
    result = Text("ok", style="green")
    if found.get("errorCode") is not None:
        result = Text(found["errorCode"], style="red")
    account = found.get("recipientAccountId", "")
    arns = [resource.get("ARN", "") for resource in found.get("resources") or ()]
    return [
        Text(found["eventTime"].replace("T", " ").rstrip("Z"), style="dim"),
        Text(_who(found.get("userIdentity") or {}), style="cyan"),
        Text(found["eventName"], style="" if found.get("readOnly") else "bold"),
        Text(", ".join(_short(arn, account) for arn in arns) or "-"),
        result,
        Text(found.get("sourceIPAddress") or "", style="dim"),
    ]


def _who(identity: dict[str, Any]) -> str:
    """Return the name by which CloudTrail looks a caller up; what there is, if there is none."""
    kind, arn = identity.get("type"), identity.get("arn") or ""
    if identity.get("userName"):
        return str(identity["userName"])
    if kind == "Root":
        return "root"
    if kind in ("AssumedRole", "FederatedUser"):
        return (identity.get("principalId") or "").partition(":")[2] or arn.rpartition("/")[2]
    return identity.get("invokedBy") or identity.get("accessKeyId") or "?"


def _short(arn: str, account_id: str) -> str:
    """Return the name within the account; a foreign one as it is."""
    parts = arn.split(":", 5)
    if len(parts) < _ARN_PARTS or parts[4] != account_id:
        return arn
    return parts[5].removeprefix("key/")
