"""Events about a KMS key, counted: by day, by operation, by caller, and those that were refused."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from kagimori_console.pages.key_actions import CRYPTOGRAPHIC

# Events name the operation, permissions its two sides; a public key is no use of the material.
USES: Final = frozenset({*CRYPTOGRAPHIC, "ReEncrypt"}) - {
    "ReEncryptFrom",
    "ReEncryptTo",
    "GetPublicKey",
}
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})
UNKNOWN: Final = "-"


@dataclass(frozen=True)
class Event:
    """One event; times are seconds since the epoch, `caller` a user, or a role without session."""

    operation: str
    at: float
    error: str
    record: dict[str, Any]

    @cached_property
    def caller(self) -> str:
        """The caller's ARN; of a role's session the role's; of a service its name."""
        identity = self.record.get("userIdentity") or {}
        issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
        named = (issuer, "arn"), (identity, "arn"), (identity, "invokedBy")
        other = (identity, "accountId"), (identity, "type")
        return next((str(one[name]) for one, name in (*named, *other) if one.get(name)), UNKNOWN)

    @property
    def is_use(self) -> bool:
        """True if the key's material was to be used."""
        return self.operation in USES

    @property
    def denied(self) -> bool:
        """True if the caller was not allowed to."""
        return self.error in _DENIED

    @property
    def request_id(self) -> str:
        """The id of the request."""
        return str(self.record.get("requestID", ""))

    @property
    def message(self) -> str:
        """The message of the error."""
        return str(self.record.get("errorMessage", ""))

    @property
    def key_named(self) -> str:
        """The name of the key in the request: an id, an ARN or an alias."""
        return str((self.record.get("requestParameters") or {}).get("keyId", ""))


@dataclass
class Count:
    """Requests that belong together: how many, how many of them refused, and the newest."""

    name: str
    requests: int = 0
    refused: int = 0
    last: float = 0.0
    operations: Counter[str] = field(default_factory=Counter)


def event_of(found: dict[str, Any]) -> Event:
    """Return an event as the admin service answers it."""
    try:
        record = json.loads(found.get("CloudTrailEvent", "{}"))
    except ValueError:
        record = {}
    return Event(
        operation=str(found.get("EventName", "")),
        at=float(found.get("EventTime", 0.0)),
        error=str(found.get("ErrorCode") or ""),
        record=record if isinstance(record, dict) else {},
    )


def by_caller(events: Iterable[Event]) -> list[Count]:
    """Return requests by caller, those with most first."""
    return _counted((one.caller, one) for one in events)


def by_operation(events: Iterable[Event]) -> list[Count]:
    """Return requests by operation, those with most first."""
    return _counted((one.operation, one) for one in events)


def by_day(pairs: Iterable[tuple[str, Event]], days: list[date]) -> dict[str, list[int]]:
    """Return how many requests there were for each name on each of the days (UTC).

    Args:
        pairs: The events, each with the name that it counts for.
        days: The days, oldest first.
    """
    places = {day: place for place, day in enumerate(days)}
    found: dict[str, list[int]] = {}
    for name, event in pairs:
        place = places.get(datetime.fromtimestamp(event.at, UTC).date())
        if place is not None:
            found.setdefault(name, [0] * len(days))[place] += 1
    return dict(sorted(found.items(), key=lambda one: (-sum(one[1]), one[0])))


def bounded(series: dict[str, list[int]], most: int, others: str) -> dict[str, list[int]]:
    """Return at most so many of the series, and the sum of the others under their name."""
    found = dict(list(series.items())[:most])
    rest = list(series.values())[most:]
    if rest:
        found[others] = [sum(values) for values in zip(*rest, strict=True)]
    return found


def days_until(now: float, number: int) -> list[date]:
    """Return the last days (UTC), today the last."""
    today = datetime.fromtimestamp(now, UTC).date()
    return [today - timedelta(days=back) for back in range(number - 1, -1, -1)]


def _counted(pairs: Iterable[tuple[str, Event]]) -> list[Count]:
    found: dict[str, Count] = {}
    for name, event in pairs:
        one = found.setdefault(name, Count(name))
        one.requests += 1
        one.refused += bool(event.error)
        one.last = max(one.last, event.at)
        one.operations[event.operation] += 1
    return sorted(found.values(), key=lambda one: (-one.requests, one.name))
