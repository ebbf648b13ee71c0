"""Reads records from journals for people: those that match, in the order of their time."""

import heapq
from collections.abc import Iterator
from pathlib import Path

from kagimori.rules.chain.chain import BrokenLine, read_line
from kagimori.rules.chain.groups import unmarked
from kagimori.rules.records.entry import Entry, decode_entry
from kagimori.rules.records.filter import RecordFilter
from kagimori.rules.records.times import epoch_of
from kagimori.trail.files import first_sequence_of, journal_files
from kagimori.trail.reader import pieces, stream_folders

# Records of a stream are ordered by when they were answered, which differs a little from when
# their requests came; so much is read further back.
SLACK_SECONDS = 60.0

Found = tuple[str, Entry, bytes]  # event time, entry, record


class RecordsGone(Exception):
    """Records that are asked for are not there any more."""


def matching(audit: Path, wanted: RecordFilter) -> Iterator[Found]:
    """Yield matching records of all streams, oldest first.

    Raises:
        OSError: something cannot be read.
    """
    streams = [_of_stream(folder, wanted) for folder in stream_folders(audit)]
    return heapq.merge(*streams, key=lambda found: found[0])


def _of_stream(folder: Path, wanted: RecordFilter) -> Iterator[Found]:
    files = journal_files(folder)
    for position, file in enumerate(files):
        following = files[position + 1] if position + 1 < len(files) else None
        if wanted.since is not None and following is not None:
            begins = first_time(following)
            if begins is not None and begins < wanted.since - SLACK_SECONDS:
                continue  # all of this file is older
        for line in _lines(file, wanted.needles()):
            found = _found(line, wanted)
            if found is not None:
                yield found


def stretch(folder: Path, after: int, to: int | None, wanted: RecordFilter) -> Iterator[Found]:
    """Yield matching records of one stream whose sequence number is in a range.

    Raises:
        RecordsGone: some of them are not there any more.
        OSError: something cannot be read.
    """
    files = journal_files(folder)
    begins = min((first_sequence_of(file) or 1 for file in files), default=1)
    if begins > after + 1 and (to is None or to >= after + 1):
        raise RecordsGone(f"{folder.name}: records {after + 1} to {begins - 1} are not there")
    for position, file in enumerate(files):
        following = files[position + 1] if position + 1 < len(files) else None
        if following is not None and (first_sequence_of(following) or 0) <= after + 1:
            continue
        for line in _lines(file, wanted.needles()):
            try:
                sequence, _, _ = read_line(line)
            except BrokenLine:
                continue
            if sequence <= after:
                continue
            if to is not None and sequence > to:
                return
            found = _found(line, wanted)
            if found is not None:
                yield found


def _lines(file: Path, needles: tuple[bytes, ...]) -> Iterator[bytes]:
    for piece in pieces(file):
        if piece is None or not all(needle in piece for needle in needles):
            continue
        for line in piece.split(b"\n"):
            if line and all(needle in line for needle in needles):
                yield line


def _found(line: bytes, wanted: RecordFilter) -> Found | None:
    try:
        record = unmarked(read_line(line)[2])
    except BrokenLine:
        return None
    entry = wanted.entry_in(record)
    return None if entry is None else (entry.event_time, entry, record)


def first_time(file: Path) -> float | None:
    """Return the time of a file's first record; None if it has none that can be read."""
    with file.open("rb") as content:
        line = content.readline()
    try:
        return epoch_of(decode_entry(read_line(line.rstrip(b"\n"))[2]).event_time)
    except ValueError:
        return None
