"""The lives of KMS keys, from the records of their changes, and the hours that are charged for.

A key is charged for from the hour in which it was made to the one in which its deletion was
scheduled. A deletion that is cancelled counts as if it had never been scheduled. Each version
(the key's first material, and each rotation) has hours of its own; how many of them are charged is
for a price list to say. Changes may come in any order, as streams are read one after the other.

Source: AWS Key Management Service pricing, "Key storage"; KMS Developer Guide, "Rotate AWS KMS
keys" and "Delete an AWS KMS key".
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from kagimori.rules.metering.request_kinds import HOUR_SECONDS
from kagimori.rules.records.entry import KMS_SOURCE, Entry
from kagimori.rules.records.times import epoch_of

MADE, ROTATED, SCHEDULED, CANCELLED, DELETED = (
    "made",
    "rotated",
    "scheduled",
    "cancelled",
    "deleted",
)
LOST: Final = "lost"  # made after the backup that was restored
_KINDS: Final = {
    "CreateKey": MADE,
    "ReplicateKey": MADE,
    "RotateKey": ROTATED,
    "ScheduleKeyDeletion": SCHEDULED,
    "CancelKeyDeletion": CANCELLED,
    "DeleteKey": DELETED,
}
AWS_MANAGED: Final = "AWS"


class KeyChange(Struct, frozen=True):
    """A change in the life of a key; `at` is seconds since the epoch.

    `identity` distinguishes it from others of its kind: the record's id, or of a rotation the
    material's. A rotation is of all members of a multi-Region set, and has no region.
    """

    kind: str
    account_id: str
    region: str
    key_id: str
    at: int
    identity: str
    key_spec: str = ""
    key_manager: str = ""


class KeyLife(Struct, frozen=True):
    """A key as it is charged for: when it was made, rotated, and given up."""

    arn: str
    made_at: int
    rotated_at: tuple[int, ...] = ()
    gone_at: int | None = None


class _Metadata(Struct, frozen=True, rename="camel"):
    arn: str = ""
    key_spec: str = ""
    key_manager: str = ""


class _Elements(Struct, frozen=True, rename="camel"):
    key_metadata: _Metadata | None = None
    replica_key_metadata: _Metadata | None = None


class _Details(Struct, frozen=True, rename="camel"):
    current_key_material_id: str = ""


class _Record(Struct, frozen=True, rename="camel"):
    event_id: str = field(name="eventID")
    response_elements: _Elements | None = None
    service_event_details: _Details | None = None


_decode: Final = msgspec.json.Decoder(_Record).decode


def change_of(entry: Entry, record: bytes) -> KeyChange | None:
    """Return the change that a record is of; None for all records but a few."""
    kind = _KINDS.get(entry.event_name)
    if kind is None or entry.error_code is not None or entry.event_source != KMS_SOURCE:
        return None
    try:
        at, details = epoch_of(entry.event_time), _decode(record)
    except ValueError:
        return None
    arn = entry.resources[0].arn if entry.resources else ""
    if kind == MADE:
        elements = details.response_elements or _Elements()
        made = elements.key_metadata or elements.replica_key_metadata
        if made is None:
            return None
        _, _, _, region, account_id, name = _split(made.arn)
        return KeyChange(
            *(kind, account_id, region, name, at, details.event_id),
            key_spec=made.key_spec,
            key_manager=made.key_manager,
        )
    _, _, _, region, account_id, name = _split(arn)
    if not name:
        return None
    if kind == ROTATED:
        rotated = details.service_event_details
        identity = details.event_id if rotated is None else rotated.current_key_material_id
        return KeyChange(kind, account_id, "", name, at, identity)
    return KeyChange(kind, account_id, region, name, at, details.event_id)


def life_of(arn: str, changes: Sequence[KeyChange]) -> KeyLife | None:
    """Return the life of a key by its changes, in any order; None if it was never made."""
    made: int | None = None
    deleted: int | None = None
    rotated: list[int] = []
    for change in changes:
        if change.kind == MADE:
            made = change.at
        elif change.kind == ROTATED:
            rotated.append(change.at)
        elif change.kind in (DELETED, LOST):
            deleted = change.at
    if made is None:
        return None
    pending = _pending_since(_schedules(changes))
    gone = deleted if pending is None else pending
    return KeyLife(arn, made, tuple(sorted(max(made, at) for at in rotated)), gone)


def is_pending(changes: Iterable[KeyChange]) -> bool:
    """Return whether a key waits for its deletion after these changes."""
    return _pending_since(_schedules(changes)) is not None


def version_hours(life: KeyLife, begin: int, end: int) -> list[int]:
    """Return how many of the hours from `begin` to before `end` each version was there.

    Hours are since the epoch; one that has begun counts whole.
    """
    last = end if life.gone_at is None else min(end, -(-life.gone_at // HOUR_SECONDS))
    since = (at // HOUR_SECONDS for at in (life.made_at, *life.rotated_at))
    return [max(0, last - max(begin, hour)) for hour in since]


def _schedules(changes: Iterable[KeyChange]) -> list[tuple[int, int]]:
    steps = {SCHEDULED: 1, CANCELLED: -1}
    return [(one.at, steps[one.kind]) for one in changes if one.kind in steps]


def _pending_since(schedules: Sequence[tuple[int, int]]) -> int | None:
    """Return since when a key has been pending deletion; None if it is not.

    Schedules and cancellations take turns, so their difference says which was the last, even where
    several came within a second.
    """
    pending, since = 0, None
    by_second: dict[int, int] = {}
    for at, step in schedules:
        by_second[at] = by_second.get(at, 0) + step
    for at in sorted(by_second):
        before, pending = pending, pending + by_second[at]
        if pending > 0 >= before:
            since = at
    return since if pending > 0 else None


def _split(arn: str) -> Sequence[Any]:
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("key/"):  # noqa: PLR2004 - an ARN's parts
        return ("",) * 6
    return (*parts[:5], parts[5].removeprefix("key/"))
