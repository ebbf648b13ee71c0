"""The follower that ships the journals to where backups are kept, as they grow.

A backup brings back the state of its moment; with what is shipped, a restore has the trail of the
time after it as well. How far it is stands in the audit folder. Should we end between an object and
that note, it is written again, under the same name.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from kagimori.machinery.files import write_whole
from kagimori.rules.nodes.shared_trail import block_of
from kagimori.rules.nodes.shipped import NONCE_BYTES, folder_of, name_of, sealed
from kagimori.trail.shelves import Shelf
from kagimori.trail.source import Source
from kagimori.trail.tail import EVERYTHING, Lines, Place, TrailBroken

STATE_NAME: Final = "shipping.json"
TURN_SECONDS_MAX: Final = 1.0
RETRY_SECONDS: Final = 15.0


class ShippingState(Struct):
    """The progress of shipping, by stream; it is that of one place and one key."""

    to: str = ""
    places: dict[str, Place] = {}


class ShippingFollower:
    """Ships the lines of all streams that are here; `place` is the name of the shelf."""

    name = "shipping"

    def __init__(
        self,
        source: Source,
        *,
        place: str,
        shelf: Callable[[], Shelf],
        key: Callable[[], bytes],
        seconds: float,
        draw: Callable[[int], bytes],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._source, self._place, self._seconds = source, place, seconds
        self._make_shelf, self._read_key = shelf, key
        self._draw, self._now = draw, now
        self._shelf: Shelf | None = None
        self._key, self._state = b"", ShippingState()
        self._broken: dict[str, str] = {}
        self._due = 0.0

    def turn(self, *, stopping: bool) -> float:
        now = time.monotonic()
        if stopping or now >= self._due:
            self._due = now + RETRY_SECONDS  # should it fail
            self._ship(self._shelf or self._begin())
            self._due = now + self._seconds
        return min(TURN_SECONDS_MAX, self._seconds)

    def standing(self) -> str | None:
        broken = next(iter(self._broken.values()), None)
        return None if broken is None else f"nothing more of a stream is shipped: {broken}"

    def close(self) -> None:
        """Nothing is held open."""

    def _begin(self) -> Shelf:
        """Go on from where the note says; from the beginning at another place."""
        self._key = self._read_key()
        to = f"{self._place} {folder_of(self._key)}"
        self._state = read_state(self._source.audit)
        if self._state.to != to:
            self._state = ShippingState(to)
        self._shelf = self._make_shelf()
        return self._shelf

    def _ship(self, shelf: Shelf) -> None:
        ends = self._source.ends()
        for folder in self._source.folders():
            stream = folder.name
            if stream in self._broken:
                continue
            tail = self._source.tail(folder, self._state.places.get(stream))
            try:
                for lines in tail.read(ends.get(stream, EVERYTHING)):
                    self._put(shelf, stream, lines)
                    self._state.places[stream] = tail.place
                    self._note()
            except TrailBroken as broken:
                self._broken[stream] = str(broken)

    def _put(self, shelf: Shelf, stream: str, lines: Lines) -> None:
        block = block_of(
            stream,
            file=lines.file,
            offset=lines.offset,
            first_sequence=lines.first_sequence,
            lines=lines.lines,
            at=self._now(),
        )
        content = sealed(self._key, block, self._draw(NONCE_BYTES))
        shelf.put(name_of(self._key, block), content)

    def _note(self) -> None:
        write_whole(self._source.audit / STATE_NAME, msgspec.json.encode(self._state))


def read_state(audit: Path) -> ShippingState:
    """Return how far shipping has come; from the beginning if nothing is known."""
    try:
        return msgspec.json.decode((audit / STATE_NAME).read_bytes(), type=ShippingState)
    except (OSError, ValueError):
        return ShippingState()


def shipped_up_to(audit: Path) -> dict[str, int]:
    """Return up to which record each stream was shipped."""
    return {stream: place.sequence for stream, place in read_state(audit).places.items()}
