"""Retires journal files that are old, delivered, shipped, counted, and covered by a digest.

A digest first says where the journal begins from now on; only then are the files before removed,
so that a trail is never shorter than what was signed of it.
"""

import threading
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from kagimori.machinery.clock import Clock
from kagimori.rules.chain.chain import read_line
from kagimori.rules.chain.digest import FOLDER, BadDigest, Digest, decode_file
from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.times import epoch_of
from kagimori.trail.delivery import read_state
from kagimori.trail.files import first_sequence_of, journal_files
from kagimori.trail.meter import counted_up_to
from kagimori.trail.notices import notified_up_to
from kagimori.trail.reader import stream_folders
from kagimori.trail.shipping import shipped_up_to
from kagimori.trail.source import Source

Beginnings = dict[str, tuple[int, str]]
DAY_SECONDS: Final = 86_400
TURN_SECONDS: Final = 2.0


class Proposals:
    """New beginnings of streams, on their way from retention into the next digest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begins: Beginnings = {}

    def put(self, begins: Beginnings) -> None:
        with self._lock:
            self._begins |= begins

    def take(self) -> Beginnings:
        """Return the proposals, and forget them."""
        with self._lock:
            begins, self._begins = self._begins, {}
        return begins


class RetentionFollower:
    """Proposes removals to the next digest, and makes those that the newest one names."""

    name = "retention"

    def __init__(
        self,
        source: Source,
        *,
        days: float,
        receivers: Sequence[str],
        proposals: Proposals,
        ships: bool = False,
    ) -> None:
        self._source, self._seconds = source, days * DAY_SECONDS
        self._receivers, self._proposals, self._ships = receivers, proposals, ships
        self._newest: tuple[Path, Digest] | None = None
        self._now = Clock().steady(lambda _seconds: None)

    def turn(self, *, stopping: bool) -> float:
        audit = self._source.audit
        newest = self._newest_digest()
        if newest is not None:
            known = {folder.name for folder in self._source.folders()}
            begins = {
                end.stream: (end.first_sequence, end.first_previous)
                for end in newest.streams
                if end.stream in known
            }
            remove_before(audit, begins)
            older_than = self._now() - self._seconds
            done = [counted_up_to(audit), *([shipped_up_to(audit)] if self._ships else [])]
            new = new_beginnings(audit, newest, older_than, self._receivers, done)
            self._proposals.put({name: new[name] for name in new if name in known})
        return TURN_SECONDS

    def standing(self) -> str | None:
        return None

    def close(self) -> None:
        """Nothing is held open."""

    def _newest_digest(self) -> Digest | None:
        """Return the newest digest that can be read."""
        for file in sorted((self._source.audit / FOLDER).glob("*.json"), reverse=True):
            if self._newest is not None and self._newest[0] == file:
                return self._newest[1]
            try:
                self._newest = file, decode_file(file.read_bytes()).digest
            except BadDigest:
                continue  # the digests' follower reports it
            return self._newest[1]
        return None


def new_beginnings(
    audit: Path,
    newest: Digest | None,
    older_than: float,
    receivers: Sequence[str] = (),
    done_up_to: Sequence[Mapping[str, int]] = (),
) -> Beginnings:
    """Return where each stream may begin: the first sequence to stay, and what it follows.

    `receivers` are the names of those who must have been notified of a record before it goes;
    `done_up_to` is how far streams were counted and shipped, if what was not may not go.

    Raises:
        OSError, ValueError: a journal cannot be read.
    """
    begins: Beginnings = {}
    if newest is None:
        return begins
    signed = {end.stream: end.newest_sequence for end in newest.streams}
    delivered = {stream: place.sequence for stream, place in read_state(audit).places.items()}
    others: list[Mapping[str, int]] = [notified_up_to(audit, name) for name in receivers]
    others += done_up_to
    for folder in stream_folders(audit):
        settled = min(done.get(folder.name, 0) for done in (signed, delivered, *others))
        for file in journal_files(folder)[1:]:
            first = first_sequence_of(file)
            if first is None or first - 1 > settled:
                break
            with file.open("rb") as content:
                line = content.readline().rstrip(b"\n")
            if not line:
                break
            sequence, previous, record = read_line(line)
            if epoch_of(decode_entry(record).event_time) >= older_than:
                break
            begins[folder.name] = (sequence, previous)
    return begins


def remove_before(audit: Path, begins: Mapping[str, tuple[int, str]]) -> int:
    """Remove the files that lie wholly before the beginnings; return how many."""
    removed = 0
    for stream, (sequence, _) in begins.items():
        for file, following in pairwise(journal_files(audit / stream)):
            first = first_sequence_of(following)
            if first is not None and first <= sequence:
                file.unlink()
                removed += 1
    return removed
