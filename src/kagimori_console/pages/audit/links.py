"""Addresses of the pages of events, and of keys and identities that events name."""

import re
from typing import Any, Final
from urllib.parse import quote

_KEY: Final = re.compile(r"arn:[^:]+:kms:[^:]*:[0-9]{12}:key/(.+)")
_IDENTITY: Final = re.compile(r"arn:[^:]+:iam::[0-9]{12}:(user|role|group)/(?:.*/)?([^/]+)")
_SESSION: Final = re.compile(r"arn:[^:]+:sts::[0-9]{12}:assumed-role/([^/]+)/.*")
_POLICY: Final = re.compile(r"arn:[^:]+:iam::(?:[0-9]{12}|aws):policy/.+")


def event_address(event: dict[str, Any]) -> str:
    """Return the address of an event's page."""
    return f"/audit/event/{quote(str(event['EventId']), safe='')}?at={int(event['EventTime'])}"


def resource_address(arn: str) -> str:
    """Return the address of the page of a key, an identity or a policy; "" if it has none."""
    key = _KEY.fullmatch(arn)
    if key is not None:
        return f"/keys/{quote(key[1], safe='')}"
    if _POLICY.fullmatch(arn):
        return f"/access/policies/{quote(arn, safe='')}"
    return identity_address(arn)


def identity_address(arn: str) -> str:
    """Return the address of the page of a user, group or role, or of a session's role."""
    found = _IDENTITY.fullmatch(arn)
    if found is not None:
        return f"/access/{found[1]}s/{quote(found[2], safe='')}"
    found = _SESSION.fullmatch(arn)
    return "" if found is None else f"/access/roles/{quote(found[1], safe='')}"
