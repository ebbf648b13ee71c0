"""The journals that were shipped beside a backup, taken into a restored trail.

They are believed as far as they open with the key that the backup holds, and each line names the
one before it. What is missing or altered ends a stream there, and is said; the backup is whole
without.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Final

from msgspec import Struct

from kagimori.backups.places import Place, is_in_bucket
from kagimori.deployment.folder import Layout, Unusable
from kagimori.rules.nodes.shipped import BadShipment, ShippedPart, folder_of, part_of, unsealed
from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.receiver import BadReceiver
from kagimori.rules.records.times import epoch_of
from kagimori.trail.mark import MARKS
from kagimori.trail.mirror import Mirror
from kagimori.trail.reader import LINE_BYTES_MAX, stream_folders
from kagimori.trail.receiving import NotTaken
from kagimori.trail.shelves import Shelf, shelf_at
from kagimori.trail.tail import TrailBroken, place_at_end, record_in

AT_ONCE: Final = 8
FETCHED_TOGETHER: Final = 64


class TakenIn(Struct, frozen=True):
    """Records that came from what was shipped; `findings` say where streams end too early."""

    records: int = 0
    findings: tuple[str, ...] = ()


def take_in(place: Place, key: bytes, layout: Layout) -> TakenIn:
    """Add to the journals in a folder what was shipped to the place of their backup since.

    Raises:
        Unusable: it cannot be read.
        OSError: it cannot be written.
    """
    if not key:
        return TakenIn()
    try:
        shelf = shelf_at(_folder_of(place), os.environ)
        parts = sorted(filter(None, (part_of(one, key) for one in shelf.names(folder_of(key)))))
        records, findings = 0, list[str]()
        for stream, some in groupby(parts, lambda part: part.stream):
            try:
                records += _take_stream(shelf, key, layout, list(some))
            except (TrailBroken, BadShipment) as broken:
                findings.append(f"{stream}: nothing more was taken from its shipped part: {broken}")
        return TakenIn(records, tuple(findings))
    except (NotTaken, BadReceiver) as reason:
        raise Unusable(f"{place}: the shipped journals cannot be read: {reason}") from None


def newest_record_at_end(audit: Path) -> float | None:
    """Return the time of the newest record in the journals of a folder; None if there is none.

    Raises:
        OSError: it cannot be read.
    """
    times = [_time_at_end(folder) for folder in stream_folders(audit)] if audit.is_dir() else []
    return max((at for at in times if at is not None), default=None)


def _folder_of(place: Place) -> str:
    """Return the place beside a backup, where journals are shipped to."""
    text = str(place)
    if is_in_bucket(place):
        folder, _, name = text.rpartition("/")
        return folder if name.endswith(".backup") else text
    return text if Path(text).is_dir() else str(Path(text).parent)


def _take_stream(shelf: Shelf, key: bytes, layout: Layout, parts: Sequence[ShippedPart]) -> int:
    """Take in the parts of one stream that go beyond its copy; return the number of records."""
    stream = parts[0].stream
    folder = layout.audit / stream
    layout.audit.mkdir(mode=0o700, exist_ok=True)
    end = place_at_end(folder).sequence if folder.is_dir() else 0
    wanted = [part for part in parts if part.last > end]
    if not wanted:
        return 0
    mirror = Mirror(folder, layout.data / MARKS)
    try:
        records = 0
        for name, content in _fetched(shelf, [part.name for part in wanted]):
            try:
                records += mirror.take(unsealed(key, name, content))
            except BadShipment as bad:
                raise BadShipment(f"{name} {bad}") from None
        if mirror.begins is not None:
            raise TrailBroken(f"what comes before record {mirror.begins[0]} is missing")
        return records
    finally:
        mirror.close()


def _fetched(shelf: Shelf, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for at in range(0, len(names), FETCHED_TOGETHER):
            some = names[at : at + FETCHED_TOGETHER]
            yield from zip(some, threads.map(shelf.get, some), strict=True)


def _time_at_end(folder: Path) -> float | None:
    try:
        end = place_at_end(folder)
        if not end.file:
            return None
        with (folder / end.file).open("rb") as content:
            start = max(0, end.offset - LINE_BYTES_MAX)
            content.seek(start)
            line = content.read(end.offset - start)[:-1].rpartition(b"\n")[2]
        return epoch_of(decode_entry(record_in(line, end.sequence)).event_time)
    except (TrailBroken, ValueError):
        return None
