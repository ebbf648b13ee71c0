"""Delivers the trail as CloudTrail would: gzip files, by account and region.

How far delivery has come is kept in the audit folder. Should we end between a file and that note,
its records are delivered twice, as CloudTrail's may be.
"""

import gzip
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from kagimori.machinery.files import write_whole
from kagimori.rules.chain.delivered import (
    Area,
    DeliveredLog,
    PreviousDigest,
    described,
    digest_content,
    digest_name,
    log_content,
    log_name,
)
from kagimori.rules.chain.digest import SIGNATURE_ALGORITHM, ToSign
from kagimori.rules.records.copies import copy_in_other_region, owners_copy
from kagimori.rules.records.times import epoch_of, iso_time
from kagimori.trail.source import Source
from kagimori.trail.tail import EVERYTHING, Decoded, Lines, Place, TrailBroken
from kagimori.trail.targets import DeliveryTarget

STATE_NAME: Final = "delivery.json"
FILE_BYTES_MAX: Final = 16 * 1024 * 1024  # of a log file, uncompressed
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class _AreaState(Struct):
    area: Area
    since: str
    previous: PreviousDigest | None = None
    logs: list[DeliveredLog] = []


class DeliveryState(Struct):
    """The progress of delivery: places by stream and, by area, the content of the next digest."""

    places: dict[str, Place] = {}
    areas: dict[str, _AreaState] = {}


class _Gathered:
    """Records of one area on their way into a file."""

    __slots__ = ("length", "newest", "oldest", "records")

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.length = 0
        self.oldest, self.newest = "9", ""

    def add(self, record: bytes, time: str) -> None:
        self.records.append(record)
        self.length += len(record)
        self.oldest, self.newest = min(self.oldest, time), max(self.newest, time)


class Delivery:
    """Delivers one audit folder to one target. Belongs to one thread."""

    def __init__(
        self,
        audit: Path,
        target: DeliveryTarget,
        *,
        fingerprint: str,
        sign: Callable[[ToSign], str],
        now: Callable[[], float],
        draw: Callable[[int], bytes],
        trouble: Callable[[str], None],
        source: Source | None = None,
    ) -> None:
        self._source = source or Source(audit)
        self._broken: str | None = None
        self._audit, self._target = audit, target
        self._fingerprint, self._sign = fingerprint, sign
        self._now, self._draw, self._trouble = now, draw, trouble
        self._bucket = target.bucket
        self._state = read_state(audit)

    def deliver(self, ends: Mapping[str, int]) -> int:
        """Deliver new records; return their number.

        A stream that does not go on from where it was stands still; the others are delivered.

        Raises:
            OSError, NotTaken: something cannot be read or written; tried again
                from the last note on.
        """
        self._broken = None
        count = 0
        gathered: dict[Area, _Gathered] = {}
        tails = [
            self._source.tail(folder, self._state.places.get(folder.name))
            for folder in self._source.folders()
        ]
        for tail in tails:
            try:
                for lines in tail.read(ends.get(tail.stream, EVERYTHING)):
                    count += len(lines.lines)
                    self._take(lines, gathered)
            except TrailBroken as broken:
                self._broken = f"nothing more of a stream is delivered: {broken}"
                self._trouble(self._broken)
        for area, some in gathered.items():
            self._write_log(area, some)
        if count:
            self._state.places = {tail.stream: tail.place for tail in tails}
            self._note()
        return count

    def standing(self) -> str | None:
        """Return why something is not delivered any more; None if all is."""
        return self._broken

    def digest(self) -> None:
        """Write a digest for each area, also for one where nothing was delivered.

        Raises:
            OSError, NotTaken: it cannot be written. Whatever `sign` raises.
        """
        for state in self._state.areas.values():
            previous, now = state.previous, self._now()
            if previous is not None and previous.end_time >= iso_time(now):
                if not state.logs:
                    continue
                now = epoch_of(previous.end_time) + 1  # else its name were that of the one before
            name = digest_name(state.area, now, self._target.prefix)
            content = digest_content(
                state.area,
                bucket=self._bucket,
                object_name=name,
                start_time=previous.end_time if previous is not None else state.since,
                now=now,
                fingerprint=self._fingerprint,
                logs=state.logs,
                previous=previous,
            )
            before = previous.signature if previous is not None else None
            signature = self._sign(ToSign(iso_time(now), self._bucket, name, content, before))
            metadata = {"signature": signature, "signature-algorithm": SIGNATURE_ALGORITHM}
            self._target.put(name, _zipped(content), metadata)
            hashed = sha256(content).hexdigest()
            state.previous = PreviousDigest(name, hashed, signature, iso_time(now))
            state.logs = []
            self._note()

    def _take(self, lines: Lines, gathered: dict[Area, _Gathered]) -> None:
        for one in lines.decoded:
            for area in self._gather(one, gathered):
                self._write_log(area, gathered.pop(area))

    def _gather(self, one: Decoded, gathered: dict[Area, _Gathered]) -> list[Area]:
        """Put a record where it belongs; return the areas that have enough for a file."""
        record, entry = one.record, one.entry
        if entry is None:
            return []  # of no account
        full = []
        account_id = entry.recipient_account_id
        region = entry.aws_region
        copies = [(account_id, region, record)] if account_id else []
        copies += [(owner, region, owners_copy(record, owner)) for owner in entry.owners]
        if account_id and entry.other_region:
            other = copy_in_other_region(record, entry.other_region)
            copies.append((account_id, entry.other_region, other))
        for owner, where, copy in copies:
            area = Area(owner, where)
            some = gathered.get(area) or gathered.setdefault(area, _Gathered())
            some.add(copy, entry.event_time)
            if some.length > FILE_BYTES_MAX:
                full.append(area)
        return full

    def _write_log(self, area: Area, some: _Gathered) -> None:
        unique = "".join(_LETTERS[byte % len(_LETTERS)] for byte in self._draw(16))
        name = log_name(area, self._now(), unique, self._target.prefix)
        content = log_content(some.records)
        self._target.put(name, _zipped(content), {})
        key = f"{area.account_id}/{area.region}"
        state = self._state.areas.get(key)
        if state is None:
            state = self._state.areas[key] = _AreaState(area, some.oldest)
        log = described(self._bucket, name, content, some.oldest, some.newest)
        state.logs = [*state.logs, log]

    def _note(self) -> None:
        write_whole(self._audit / STATE_NAME, msgspec.json.encode(self._state))


def read_state(audit: Path) -> DeliveryState:
    """Return how far delivery has come; from the beginning if nothing is known."""
    try:
        return msgspec.json.decode((audit / STATE_NAME).read_bytes(), type=DeliveryState)
    except (OSError, ValueError):
        return DeliveryState()


def _zipped(content: bytes) -> bytes:
    return gzip.compress(content, 6, mtime=0)
