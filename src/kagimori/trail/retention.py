"""Retires journal files that are old, delivered, notified of, and covered by a digest.

A digest first says where the journal begins from now on; only then are the files before removed,
so that a trail is never shorter than what was signed of it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from kagimori.rules.chain.chain import read_line
from kagimori.rules.chain.digest import Digest
from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.times import epoch_of
from kagimori.trail.delivery import read_state
from kagimori.trail.files import first_sequence_of, journal_files
from kagimori.trail.notices import told_to
from kagimori.trail.reader import stream_folders

Beginnings = dict[str, tuple[int, str]]


def new_beginnings(
    audit: Path, newest: Digest | None, older_than: float, receivers: Sequence[str] = ()
) -> Beginnings:
    """Return where each stream may begin: the first sequence to stay, and what it follows.

    `receivers` are the names of those who must have been told of a record before it goes.

    Raises:
        OSError, ValueError: a journal cannot be read.
    """
    begins: Beginnings = {}
    if newest is None:
        return begins
    signed = {end.stream: end.newest_sequence for end in newest.streams}
    delivered = {stream: place.sequence for stream, place in read_state(audit).places.items()}
    told = [told_to(audit, name) for name in receivers]
    for folder in stream_folders(audit):
        settled = min(done.get(folder.name, 0) for done in (signed, delivered, *told))
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
