"""Finds the end of a journal at start, and separates acknowledged records from others.

The journal writes one group of records at a time, and the next one only once that is synced. So
what a power cut can damage is the last group alone, whose records nobody was answered for: unless
it is whole, it is cut off. Two things show that a record had been synced, and is then missed
loudly: the mark beside the journal, and the beginning of a later group.
"""

import os
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from kagimori.machinery.files import sync_folder
from kagimori.rules.chain.chain import START, BrokenLine, Link, follow, read_line
from kagimori.rules.chain.groups import begins_group, ends_group, groups_in
from kagimori.trail.files import file_for, first_sequence_of, journal_files

CUT_EVENT: Final = "CutJournalTail"
END_BYTES: Final = 8 * 1024 * 1024  # more than any line


class JournalDamaged(Exception):
    """A journal lacks something that was acknowledged."""


def damage_text(damaged: JournalDamaged) -> str:
    """Return the reason why no server starts, as people read it."""
    return (
        f"the audit journal lacks records that were acknowledged: {damaged}; what to do stands "
        "in docs/do/go-on-after-a-damaged-journal.md"
    )


class Cut(Struct, frozen=True):
    """The bytes cut off at the end of a journal, which no answer depended on."""

    stream: str
    file: str
    offset: int
    length: int
    content_hash: str
    after_sequence: int


def cut_text(cut: Cut) -> str:
    """Return the log's line about bytes that were cut off."""
    return (
        f"{cut.length} bytes after record {cut.after_sequence} of {cut.stream} were cut off: "
        "they were never acknowledged"
    )


def cut_details(cut: Cut) -> dict[str, Any]:
    """Return the details in the record of bytes that were cut off."""
    return {
        "stream": cut.stream,
        "file": cut.file,
        "offset": cut.offset,
        "bytes": cut.length,
        "sha256": cut.content_hash,
        "afterSequence": cut.after_sequence,
    }


class Recovered(Struct, frozen=True):
    """The chain's end, the file it lies in and that file's length; and what was cut off."""

    end: Link
    file: Path | None
    length: int
    cut: Cut | None = None


def recover_end(folder: Path, mark: Link | None = None) -> Recovered:
    """Return where a journal ends, after cutting off what was never acknowledged.

    What was written but perhaps not synced before a crash is synced, since it counts from now on.

    Raises:
        JournalDamaged: as `find_end`; nothing was changed.
    """
    found = find_end(folder, mark)
    if found.file is not None:
        _settle_end(found.file, found.length)
    return found


def find_end(folder: Path, mark: Link | None = None) -> Recovered:
    """Return where a journal ends, without changing anything.

    Only the last file is read; `audit verify` reads all. Without a mark (the journal is a copy, or
    of an older version) nothing but a torn last line counts as never acknowledged.

    Raises:
        JournalDamaged: something is gone, or was changed, that had been acknowledged.
    """
    try:
        return _find_end(folder, mark)
    except JournalDamaged as damaged:
        raise JournalDamaged(f"{folder.name}: {damaged}") from None


def _find_end(folder: Path, mark: Link | None) -> Recovered:
    files = journal_files(folder)
    if not files:
        if mark is not None and mark.sequence:
            raise JournalDamaged(f"its files are gone; record {mark.sequence} was acknowledged")
        return Recovered(START, None, 0)
    last = files[-1]
    content = last.read_bytes()
    link = _link_before(files, content)
    link, length = _follow(last, link, content, mark)
    rest = content[length:]
    if mark is not None and link.sequence < mark.sequence:
        raise JournalDamaged(
            f"{last.name} holds until record {link.sequence}, byte {length}, but record "
            f"{mark.sequence} was acknowledged"
        )
    if not rest:
        return Recovered(link, last, length)
    _check_unacknowledged(last, link, length, rest, is_marked=mark is not None)
    hashed = sha256(rest).hexdigest()
    cut = Cut(folder.name, last.name, length, len(rest), hashed, link.sequence)
    return Recovered(link, last, length, cut)


def _follow(file: Path, link: Link, content: bytes, mark: Link | None) -> tuple[Link, int]:
    """Return the end of what is whole, and how many bytes that is.

    Whole is a group with its checksum, what the mark names, and what a group follows. Of a copy,
    which has no mark, every line that holds counts.
    """
    whole = link, 0
    length, group, before_group = 0, list[bytes](), link
    is_grouped = False
    while (end := content.find(b"\n", length)) >= 0:
        try:
            record, following = follow(link, content[length:end])
        except BrokenLine:
            break
        if begins_group(record):
            whole = link, length
            group, before_group, is_grouped = [], link, True
        link, length = following, end + 1
        group.append(record)
        if mark is not None and link.sequence == mark.sequence and link != mark:
            raise JournalDamaged(f"{file.name}: record {link.sequence} is not the one that was")
        if not is_grouped or mark is None or link == mark or ends_group(before_group, group):
            whole, group = (link, length), []
    return whole


def _check_unacknowledged(
    file: Path, link: Link, length: int, rest: bytes, *, is_marked: bool
) -> None:
    """Check that bytes that do not hold can be those of the last group."""
    where = f"{file.name}, byte {length}, after record {link.sequence}"
    # The last group's own beginning may be among the rest, wherever a cut left its blocks.
    later = [sequence for sequence in groups_in(rest) if sequence > link.sequence + 1]
    if later:
        raise JournalDamaged(
            f"{where}: a line does not hold, though the group of record {max(later)} follows it"
        )
    if not is_marked and b"\n" in rest:
        raise JournalDamaged(f"{where}: a line does not hold, and nothing says it was the last")


def _link_before(files: list[Path], content: bytes) -> Link:
    """Return the link that the first line of the last file must follow."""
    last, first = files[-1], first_sequence_of(files[-1])
    if first is None:
        raise JournalDamaged(f"{last.name} is not the name of a journal's file")
    if len(files) > 1:
        link = _last_link(files[-2])
        if file_for(last.parent, link.sequence + 1) != last:
            raise JournalDamaged(f"{last.name} does not follow {files[-2].name}")
        return link
    if first == 1:
        return START
    try:  # what came before was retired
        sequence, previous, _ = read_line(content.partition(b"\n")[0])
    except BrokenLine as broken:
        raise JournalDamaged(f"{last.name}: {broken}") from None
    if sequence != first:
        raise JournalDamaged(f"{last.name} begins with record {sequence}")
    return Link(sequence - 1, previous)


def _last_link(file: Path) -> Link:
    """Return the end of a file that another follows: all of it was acknowledged."""
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - END_BYTES))
        whole, newline, rest = content.read().rpartition(b"\n")
    if rest or not newline:
        raise JournalDamaged(f"{file.name}: its last line is torn, though a file follows it")
    line = whole.rpartition(b"\n")[2]
    try:
        sequence, _, _ = read_line(line)
    except BrokenLine as broken:
        raise JournalDamaged(f"{file.name}: {broken}") from None
    return Link(sequence, sha256(line).hexdigest())


def _settle_end(last: Path, length: int) -> None:
    """Cut the file to this length, and make what is left of it durable."""
    descriptor = os.open(last, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, length)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(last.parent)
