"""Questions to the audit trail about a KMS key, of which the service answers one at a time.

A page reads a bounded part of the trail, and says so where there is more.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.web.page import Page

EVENTS_MAX: Final = 10_000
_PAGE_EVENTS: Final = 1_000
_PAGES_MAX: Final = 20
_TRIES_MAX: Final = 4
_WAIT_SECONDS: Final = 0.25
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True)
class Events:
    """The newest events about a key in some days; `more` if the trail has older ones of them."""

    found: tuple[dict[str, Any], ...]
    days: int
    more: bool


async def ask_trail(page: Page, operation: str, **members: Any) -> dict[str, Any]:
    """Call the admin service, again if another question of the account is being answered.

    Raises:
        ApiRefused, ApiAway: as `Api.call`.
    """
    for number in range(1, _TRIES_MAX + 1):
        try:
            return await page.api.admin(operation, **members)
        except ApiRefused as refused:
            if refused.code != "ThrottlingException" or number == _TRIES_MAX:
                raise
        await asyncio.sleep(_WAIT_SECONDS * number)
    raise AssertionError("the last try returns or raises")


async def events_of(
    page: Page,
    key_id: str,
    days: int,
    *,
    events_max: int = EVENTS_MAX,
    operation: str | None = None,
) -> Events | ApiFailure:
    """Return the newest events about a key in the last days, or the failure."""
    members: dict[str, Any] = {
        "KeyId": key_id,
        "StartTime": page.now - days * _DAY_SECONDS,
        "Order": "NEWEST_FIRST",
        "MaxResults": min(_PAGE_EVENTS, events_max),
    }
    if operation is not None:
        members["EventName"] = operation
    found: list[dict[str, Any]] = []
    try:
        for _ in range(_PAGES_MAX):
            answer = await ask_trail(page, "SearchEvents", **members)
            found += answer.get("Events", [])
            token = answer.get("NextToken")
            if not token or len(found) >= events_max:
                break
            members["NextToken"] = token
    except ApiFailure as failure:
        return failure
    return Events(tuple(found[:events_max]), days, bool(token) or len(found) > events_max)
