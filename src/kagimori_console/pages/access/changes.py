"""The statements that would allow a denied request, and the editors in which to add them."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

_SESSION: Final = re.compile(r"arn:[^:]+:sts::[0-9]{12}:assumed-role/([^/]+)/.*")
_IDENTITY: Final = re.compile(r"arn:[^:]+:iam::[0-9]{12}:(user|role)/(?:.*/)?([^/]+)")
_KEY: Final = re.compile(r"arn:[^:]+:kms:[^:]*:[0-9]{12}:key/(.+)")
# The kinds of policies, by AWS's words for their sides of a decision.
_KINDS: Final = {
    "resource-based policy": "key policy",
    "role trust policy": "role trust policy",
    "identity-based policy": "identity policy",
    "permissions boundary": "permissions boundary",
    "session policy": "session policy",
}
_WITH_PRINCIPAL: Final = ("key policy", "role trust policy")


@dataclass(frozen=True)
class Change:
    """A statement for one kind of policy; `address` is that of the editor, "" if there is none."""

    kind: str
    statement: str
    address: str


def changes_for(denial: dict[str, Any], caller: str) -> list[Change]:
    """Return the statements that a denial lacks; `caller` is how policies name the caller."""
    kinds = [_KINDS[side] for side in denial.get("Lacking") or () if side in _KINDS]
    return [_change(kind, denial, caller) for kind in kinds]


def role_name(arn: str) -> str | None:
    """Return the name of the role that a session's ARN is about."""
    found = _SESSION.fullmatch(arn)
    return None if found is None else found[1]


def _change(kind: str, denial: dict[str, Any], caller: str) -> Change:
    action, resource = str(denial["Action"]), str(denial.get("Resource") or "*")
    made: dict[str, Any] = {"Sid": _sid(action), "Effect": "Allow"}
    if kind in _WITH_PRINCIPAL:
        made |= {"Principal": {"AWS": caller}}
    made |= {"Action": action}
    if kind != "role trust policy":
        made |= {"Resource": "*" if kind == "key policy" else resource}
    statement = json.dumps(made, indent=2, ensure_ascii=False)
    return Change(kind, statement, _address(kind, resource, caller, statement))


def _address(kind: str, resource: str, caller: str, statement: str) -> str:
    filled = f"?add={quote(statement, safe='')}"
    if kind == "key policy":
        key = _KEY.fullmatch(resource)
        return "" if key is None else f"/keys/{quote(key[1], safe='')}/policy{filled}"
    role = _IDENTITY.fullmatch(resource)
    if kind == "role trust policy" and role is not None:
        return f"/access/roles/{quote(role[2], safe='')}/trust{filled}"
    found = _IDENTITY.fullmatch(caller)
    if found is None or kind not in ("identity policy", "permissions boundary"):
        return ""
    identity = f"/access/{found[1]}s/{quote(found[2], safe='')}"
    if kind == "permissions boundary":
        return f"{identity}/boundary{filled}"
    return f"{identity}/inline{filled}"


def _sid(action: str) -> str:
    return "Allow" + "".join(c for c in action.partition(":")[2] if c.isalnum())
