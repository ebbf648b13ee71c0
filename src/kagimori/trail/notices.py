"""Sends notices: follows the journals, and sends in order, each notice at least once.

What waits is bounded: nothing more is read until what was read is sent, and after a restart it is
read again from the place that was noted. A receiver that takes nothing for a day loses what is
older than that.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from kagimori.machinery.files import write_whole
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.records.denial_storm import DenialStorms
from kagimori.rules.records.entry import Entry, decode_entry
from kagimori.rules.records.notice import (
    APPROACH_BEGINS,
    CANARY_TAG,
    CANARY_TOUCHED,
    NEEDLES,
    Notice,
    approaching,
    notices_of,
)
from kagimori.rules.records.times import epoch_of
from kagimori.trail.reader import stream_folders
from kagimori.trail.receiving import NotTaken
from kagimori.trail.source import Source
from kagimori.trail.tail import (
    EVERYTHING,
    Lines,
    Place,
    StreamTail,
    TrailBroken,
    place_at_end,
)

TURN_SECONDS: Final = 1.0
TURN_BYTES_MAX: Final = 4 * 1024 * 1024
LOOK_SECONDS: Final = 60.0  # between looks at what approaches
NOTE_SECONDS: Final = 15.0
PAUSE_SECONDS_MAX: Final = 300.0
GIVEN_UP_SECONDS: Final = 86_400.0  # as EventBridge does
REMEMBERED_SECONDS: Final = 86_400.0


class Keys(Protocol):
    """The keys of a deployment, as `KeyWatch` sees them."""

    def canaries(self) -> frozenset[str]: ...

    def due_before(self, at: float) -> list[KmsKey]: ...

    def close(self) -> None: ...


class NotifierState(Struct):
    """The progress of a notifier, and the approaching events it has announced."""

    places: dict[str, Place] = {}
    announced: dict[str, float] = field(default_factory=dict, name="told")


class Notifier:
    """Notifies one receiver. Belongs to one thread."""

    def __init__(
        self,
        audit: Path,
        name: str,
        *,
        post: Callable[[bytes, str], None],
        keys: Keys,
        ahead_seconds: float,
        storm_denials: int,
        now: Callable[[], float],
        trouble: Callable[[str], None],
        source: Source | None = None,
    ) -> None:
        """Begin where the one before ended; the first of its name at the end of the journals."""
        self._source = source or Source(audit)
        self._audit, self._file = audit, state_file(audit, name)
        self._post, self._keys = post, keys
        self._ahead, self._storms = ahead_seconds, DenialStorms(storm_denials)
        self._now, self._trouble = now, trouble
        self._tails: dict[str, StreamTail] = {}
        self._canaries: frozenset[str] | None = None
        self._needles: tuple[bytes, ...] = NEEDLES
        self._looked_at = self._noted_at = 0.0
        self._noted = b""
        self._queue: list[Notice] = []
        self._failing_since: float | None = None
        self._pause = TURN_SECONDS
        state = self._read_state()
        self._places, self._announced = state.places, state.announced

    def turn(self, ends: Mapping[str, int]) -> float:
        """Send new notices; return the seconds until the next turn.

        Raises:
            OSError, StoreUnusable: journals, store or note cannot be read or written.
        """
        is_more = False
        if not self._queue:
            is_more = self._gather(ends)
        had_notices = bool(self._queue)
        if not self._send_all():
            return self._pause
        if had_notices or self._now() - self._noted_at >= NOTE_SECONDS:
            self.note()
        return 0.0 if is_more else TURN_SECONDS

    def standing(self) -> str | None:
        """Return why nothing is sent; None if all is."""
        if self._failing_since is None:
            return None
        return "the receiver takes nothing"

    def note(self) -> None:
        """Keep how far it has come; only if nothing waits."""
        if self._queue:
            return
        self._noted_at = self._now()
        self._places |= {stream: tail.place for stream, tail in self._tails.items()}
        content = msgspec.json.encode(NotifierState(self._places, self._announced))
        if content != self._noted:
            write_whole(self._file, content)
            self._noted = content

    # --- sending ------------------------------------------------------------------------------

    def _send_all(self) -> bool:
        """Send the waiting notices, in order; return whether none waits any more."""
        while self._queue:
            notice = self._queue[0]
            try:
                self._post(notice.as_json(), notice.id)
            except NotTaken as why:
                if not self._gives_up(notice, why):
                    return False
            else:
                self._failing_since = None
            del self._queue[0]
        return True

    def _gives_up(self, notice: Notice, why: NotTaken) -> bool:
        """Return whether to give an event up: a day old, and nothing delivered for a day."""
        now = self._now()
        if self._failing_since is None:
            self._failing_since, self._pause = now, TURN_SECONDS / 2
            self._trouble(f"an event was not taken and waits: {why}")
        if min(now - self._failing_since, now - epoch_of(notice.time)) < GIVEN_UP_SECONDS:
            self._pause = min(PAUSE_SECONDS_MAX, 2 * self._pause)
            return False
        self._trouble(f"event {notice.id} ({notice.detail_type}) is given up: {why}")
        return True

    # --- notices to come ----------------------------------------------------------------------

    def _gather(self, ends: Mapping[str, int]) -> bool:
        """Fill the queue; return whether there is more to read than was read."""
        pieces, is_more = self._read(ends)
        mark = CANARY_TAG.encode()
        if self._canaries is None or any(mark in line for part in pieces for line in part.lines):
            self._look_for_canaries()
        look = self._now() - self._looked_at >= LOOK_SECONDS
        for entry, record in self._entries(pieces):
            look = look or entry.event_name in APPROACH_BEGINS
            self._queue += notices_of(entry, record, self._canaries or ())
            storm = self._storms.add(entry)
            if storm is not None:
                self._queue.append(storm)
        self._queue = _once_for_each_touch(self._queue)
        if look:
            self._look_ahead(self._now())
            self._look_for_canaries()  # also what came by another way than we know of
        return is_more

    def _read(self, ends: Mapping[str, int]) -> tuple[list[Lines], bool]:
        pieces: list[Lines] = []
        left = TURN_BYTES_MAX
        for folder in self._source.folders():
            tail = self._tails.get(folder.name) or self._begin(folder)
            try:
                for lines in tail.read(ends.get(folder.name, EVERYTHING)):
                    pieces.append(lines)
                    left -= sum(map(len, lines.lines))
                    if left <= 0:
                        return pieces, True
            except TrailBroken as broken:
                self._trouble(f"some records were never announced: {broken}")
                self._tails[folder.name] = self._source.tail(
                    folder, _end_or_place(folder, tail.place)
                )
        return pieces, False

    def _entries(self, pieces: list[Lines]) -> list[tuple[Entry, bytes]]:
        """Return the records that could matter, in the order of their time."""
        found = [
            (one.entry, one.record)
            for lines in pieces
            for one in lines.decoded
            if one.entry is not None  # `audit verify` reports it
            and any(needle in one.record for needle in self._needles)
        ]
        return sorted(found, key=lambda one: one[0].event_time)

    def _look_for_canaries(self) -> None:
        self._canaries = self._keys.canaries()
        self._needles = (*NEEDLES, *(arn.encode() for arn in self._canaries))

    def _look_ahead(self, now: float) -> None:
        self._looked_at = now
        announced = self._announced
        for gone in [one for one, over in announced.items() if over < now - REMEMBERED_SECONDS]:
            del announced[gone]
        for kms_key in self._keys.due_before(now + self._ahead):
            for notice, at in approaching(kms_key, now, self._ahead):
                if notice.id not in announced:
                    announced[notice.id] = at
                    self._queue.append(notice)

    def _begin(self, folder: Path) -> StreamTail:
        tail = self._source.tail(folder, self._places.get(folder.name))
        self._tails[folder.name] = tail
        return tail

    def _read_state(self) -> NotifierState:
        try:
            begin_at_end(self._audit, self._file)
            return msgspec.json.decode(self._file.read_bytes(), type=NotifierState)
        except ValueError:
            self._trouble(f"{self._file.name} is damaged; events are announced from now on")
            self._file.unlink()
            begin_at_end(self._audit, self._file)
            return msgspec.json.decode(self._file.read_bytes(), type=NotifierState)


def _end_or_place(folder: Path, place: Place) -> Place:
    """Return the place at a stream's end; where the reader is, if its end is damaged."""
    try:
        return place_at_end(folder)
    except TrailBroken:
        return place


def begin_at_end(audit: Path, file: Path) -> None:
    """Note the ends of all streams as the place to begin at, if no place is noted yet.

    Raises:
        OSError, TrailBroken: the journals cannot be read, or the note not be written.
    """
    if not file.exists():
        places = {folder.name: _end_or_place(folder, Place()) for folder in stream_folders(audit)}
        write_whole(file, msgspec.json.encode(NotifierState(places)))


def state_file(audit: Path, name: str) -> Path:
    return audit / f"notices-{name}.json"


def notified_up_to(audit: Path, name: str) -> dict[str, int]:
    """Return the last record of each stream that a receiver was notified of, if known."""
    try:
        content = state_file(audit, name).read_bytes()
        state = msgspec.json.decode(content, type=NotifierState)
    except (OSError, ValueError):
        return {}
    return {stream: place.sequence for stream, place in state.places.items()}


def _once_for_each_touch(notices: list[Notice]) -> list[Notice]:
    """Return the notices, with touches of one canary by one caller put together and counted."""
    kept: dict[Any, Notice] = {}
    times: dict[Any, int] = {}
    for notice in notices:
        mark: Any = notice.id
        if notice.detail_type == CANARY_TOUCHED:
            event = decode_entry(bytes(notice.detail))
            caller = event.user_identity
            who = caller.arn or caller.access_key_id
            mark = (notice.resources, event.event_name, who, event.error_code)
        kept.setdefault(mark, notice)
        times[mark] = times.get(mark, 0) + 1
    return [
        replace(notice, detail={"times": times[mark], "event": notice.detail})
        if notice.detail_type == CANARY_TOUCHED
        else notice
        for mark, notice in kept.items()
    ]
