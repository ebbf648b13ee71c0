"""Searches of the audit trail: from the form's fields to the members of SearchEvents."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from kagimori_console.api.api import Api
from kagimori_console.api.failures import ApiRefused

# The fields of the form, and the members that take their texts as they are.
TEXTS: Final = {
    "name": "EventName",
    "source": "EventSource",
    "caller": "Caller",
    "resource": "KeyId",
    "error": "ErrorCode",
    "request": "RequestId",
    "event": "EventId",
    "account": "AccountId",
}
FIELDS: Final = (*TEXTS, "since", "until", "kind", "failed")
CHANGES: Final = "changes"
READS: Final = "reads"
# An account has one search answered at a time; a second one is tried again so often.
_TRIES: Final = 8
_WAIT_SECONDS: Final = 0.25
# The trail is read in steps; so many empty ones are skipped before a page is shown.
_STEPS_MAX: Final = 10


def fields_of(query: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a search that are filled in, without white space around them."""
    given = {name: query.get(name, "").strip() for name in FIELDS}
    return {name: value for name, value in given.items() if value}


def members_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the members of SearchEvents for the fields of a search.

    Raises:
        ValueError: a time is none.
    """
    members: dict[str, Any] = {
        member: fields[name] for name, member in TEXTS.items() if name in fields
    }
    for name, member in (("since", "StartTime"), ("until", "EndTime")):
        if name in fields:
            members[member] = seconds_of(fields[name])
    if fields.get("kind") in (CHANGES, READS):
        members["ReadOnly"] = fields["kind"] == READS
    if fields.get("failed"):
        members["FailedOnly"] = True
    return members


def seconds_of(text: str) -> float:
    """Return a time in seconds since the epoch; one without a zone is in UTC.

    Raises:
        ValueError: it is no time.
    """
    try:
        return float(text)
    except ValueError:
        at = datetime.fromisoformat(text)
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def address(path: str, fields: Mapping[str, str]) -> str:
    """Return the address of a page with the fields of a search."""
    return f"{path}?{urlencode(fields)}" if fields else path


async def search(api: Api, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return one answer of SearchEvents; while another search goes on, it is tried again.

    Raises:
        ApiRefused, ApiAway: as calls do.
    """
    for _ in range(_TRIES):
        try:
            return await api.admin("SearchEvents", **members)
        except ApiRefused as refused:
            if refused.code != "ThrottlingException":
                raise
        await asyncio.sleep(_WAIT_SECONDS)
    return await api.admin("SearchEvents", **members)


async def search_on(api: Api, members: Mapping[str, Any]) -> tuple[list[Any], str | None]:
    """Return the first events there are, and the token for more; no search reads without end.

    Raises:
        ApiRefused, ApiAway: as calls do.
    """
    token = members.get("NextToken")
    for _ in range(_STEPS_MAX):
        found = await search(api, {**members, "NextToken": token})
        token = found.get("NextToken")
        if found["Events"] or token is None:
            return found["Events"], token
    return [], token
