"""Searching the whole trail: what may be asked, as whom, and how an event is shown.

Unlike CloudTrail's look-ups, a search reads the journals from a place on, however old they are.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct

from kagimori.rules.records.copies import owners_copy
from kagimori.rules.records.entry import Entry, decode_entry
from kagimori.rules.records.filter import RecordFilter
from kagimori.rules.records.refusals import InvalidNextTokenException
from kagimori.rules.records.times import epoch_of

TOKEN_CHARACTERS_MAX = 4096
# Where reading goes on in each stream: the name of a file, and an offset in it.
Place = tuple[str, int]
Places = Mapping[str, Place]


class EventSearch(Struct, frozen=True):
    """The events to search for. `account_id` is whose trail is seen; None sees all of them."""

    wanted: RecordFilter
    account_id: str | None
    newest_first: bool
    limit: int
    at_end: bool = False

    def fingerprint(self, asking: str) -> str:
        """Return the text that ties a token to its search, and to the account that asked."""
        members = [getattr(self.wanted, name) for name in self.wanted.__struct_fields__]
        text = json.dumps([asking, self.account_id, self.newest_first, members])
        return sha256(text.encode()).hexdigest()[:16]

    def needles(self) -> tuple[bytes, ...]:
        """Return the texts that a line must contain to be worth decoding."""
        account = () if self.account_id is None else (self.account_id.encode(),)
        return (*self.wanted.needles(), *account)

    def seen(self, record: bytes) -> tuple[Entry, bytes] | None:
        """Return a record as it is in the trail that is searched, if it is there and wanted.

        The copy that a key's owner has does not say who used the key, so that cannot be searched
        for either.
        """
        if self.account_id is None:
            entry = self.wanted.entry_in(record)
            return None if entry is None else (entry, record)
        try:
            entry = decode_entry(record)
        except ValueError:
            return None
        if entry.recipient_account_id != self.account_id:
            if self.account_id not in entry.owners:
                return None
            record = owners_copy(record, self.account_id)
        found = self.wanted.entry_in(record)
        return None if found is None else (found, record)


class EventPage(Struct, frozen=True):
    """Events of a page, and where the next one begins; `is_end`: there is nothing more yet."""

    events: tuple[tuple[Entry, bytes], ...]
    places: Places
    is_end: bool


def token_of(places: Places, fingerprint: str) -> str:
    """Return the token for the page that begins there."""
    text = json.dumps([fingerprint, places], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def places_of(token: str | None, fingerprint: str) -> Places:
    """Return where the page of a token begins; nothing for the first page.

    Raises:
        InvalidNextTokenException: not a token that this search gave to this account.
    """
    if token is None:
        return {}
    try:
        found, places = json.loads(base64.b64decode(token, validate=True, altchars=b"-_"))
        if found == fingerprint and _are_places(places):
            return {stream: (file, offset) for stream, (file, offset) in places.items()}
    except (binascii.Error, ValueError, TypeError, RecursionError):
        pass
    raise InvalidNextTokenException("Invalid token")


def _are_places(places: object) -> bool:
    return isinstance(places, dict) and all(
        isinstance(place, list)
        and len(place) == 2  # noqa: PLR2004 - file and offset
        and isinstance(place[0], str)
        and type(place[1]) is int
        and 0 <= place[1] < 1 << 62
        for place in places.values()
    )


def event_members(entry: Entry, record: bytes) -> dict[str, Any]:
    """Return an event as the admin service shows it."""
    identity = entry.user_identity
    return {
        "EventId": entry.event_id,
        "EventTime": epoch_of(entry.event_time),
        "EventName": entry.event_name,
        "EventSource": entry.event_source,
        "AwsRegion": entry.aws_region,
        "AccountId": entry.recipient_account_id or None,
        "Username": identity.shown_name or None,
        "AccessKeyId": identity.access_key_id or None,
        "SourceIpAddress": entry.source_ip_address or None,
        "ErrorCode": entry.error_code,
        "ReadOnly": entry.read_only,
        "Resources": [
            {"ResourceType": resource.type, "ResourceName": resource.arn}
            for resource in entry.resources or ()
        ],
        "CloudTrailEvent": record.decode(),
    }
