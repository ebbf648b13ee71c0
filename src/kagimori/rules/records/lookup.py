"""Queries of LookupEvents: their parameters, page tokens, and the form of the answer.

Source: CloudTrail API Reference, LookupEvents.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct

from kagimori.rules.records.copies import owners_copy
from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.refusals import InvalidNextTokenException
from kagimori.rules.records.times import epoch_of

EVENTS_KEPT_SECONDS: Final = 90 * 86_400
Spot = tuple[int, int]  # time and number of the last event of a page


class EventQuery(Struct, frozen=True):
    """Events of one account and region, newest first; times are seconds and inclusive.

    `attribute` is CloudTrail's name of what is looked up by, and its value. `global_region` is
    the region in whose name IAM and the global endpoint of STS are recorded, if nobody can ask
    there: its events are then found beside those of `region`.
    """

    account_id: str
    region: str
    attribute: tuple[str, str] | None
    start: int
    end: int
    after: Spot | None
    limit: int
    global_region: str | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions whose events are looked for."""
        return (self.region,) if self.global_region is None else (self.region, self.global_region)

    def fingerprint(self) -> str:
        """Return a hash of the query that binds page tokens to it; times may differ."""
        text = json.dumps([self.account_id, self.region, self.attribute])
        return sha256(text.encode()).hexdigest()[:16]


class FoundEvent(Struct, frozen=True):
    """An event that was found: where it stands in the order, and its record.

    `owner`: the account is not the caller's but that of a key, and this is its copy.
    """

    spot: Spot
    record: bytes
    owner: str | None


def token_of(query: EventQuery, last: Spot) -> str:
    text = json.dumps([query.fingerprint(), *last], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def spot_of(token: str | None, query: EventQuery) -> Spot | None:
    """Return the position that a page token stands for; None for the first page.

    Raises:
        InvalidNextTokenException: not a token that this look-up gave.
    """
    if token is None:
        return None
    try:
        found = json.loads(base64.b64decode(token, validate=True, altchars=b"-_"))
        fingerprint, at, number = found
        if fingerprint == query.fingerprint() and _is_count(at) and _is_count(number):
            return at, number
    except (binascii.Error, ValueError, TypeError, RecursionError):
        pass
    raise InvalidNextTokenException("Invalid token")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def shown_events(events: Sequence[FoundEvent]) -> list[dict[str, Any]]:
    return [_shown(event) for event in events]


def _shown(event: FoundEvent) -> dict[str, Any]:
    record = event.record if event.owner is None else owners_copy(event.record, event.owner)
    entry = decode_entry(record)
    identity = entry.user_identity
    shown: dict[str, Any] = {
        "EventId": entry.event_id,
        "EventName": entry.event_name,
        "ReadOnly": "true" if entry.read_only else "false",
        "EventTime": epoch_of(entry.event_time),
        "EventSource": entry.event_source,
        "Resources": [
            {"ResourceType": resource.type, "ResourceName": resource.arn}
            for resource in entry.resources or ()
        ],
        "CloudTrailEvent": record.decode(),
    }
    if identity.access_key_id:
        shown["AccessKeyId"] = identity.access_key_id
    if identity.shown_name:
        shown["Username"] = identity.shown_name
    return shown
