"""The files of one journal: named by their first sequence number, appended to, never rewritten.

    audit/STREAM/00000000000000000001.jsonl

What a crash left half-written at the very end was never acknowledged, and is cut off at start.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kagimori.machinery.files import sync_folder
from kagimori.rules.chain.chain import START, BrokenLine, Link, follow, read_line

SUFFIX: Final = ".jsonl"
_NAME_DIGITS: Final = 20


class JournalDamaged(Exception):
    """The end of the journal is not one that a crash can leave."""


def journal_files(folder: Path) -> list[Path]:
    """Return the files of a journal, oldest first."""
    return sorted(folder.glob("*" + SUFFIX))


def first_sequence_of(file: Path) -> int | None:
    """Return the sequence number in a file's name; None if it is not the name of one of ours."""
    digits = file.name.removesuffix(SUFFIX)
    is_ours = len(digits) == _NAME_DIGITS and digits.isascii() and digits.isdigit()
    return int(digits) if is_ours else None


def file_for(folder: Path, first_sequence: int) -> Path:
    return folder / f"{first_sequence:0{_NAME_DIGITS}}{SUFFIX}"


def recover_end(folder: Path) -> tuple[Link, Path | None, int]:
    """Return the chain's end, the file it lies in, and that file's length in bytes.

    A torn last line is cut off, and what was written but perhaps not synced before a crash is
    synced, since it counts from now on. Only the last file is read; `audit verify` reads all.

    Raises:
        JournalDamaged: the last file does not begin or continue as a chain does.
    """
    files = journal_files(folder)
    if not files:
        return START, None, 0
    last = files[-1]
    content = last.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    _settle_end(last, len(whole))
    if not whole:
        return _before(files, folder), last, 0
    link = _link_before(whole)
    try:
        for line in whole.splitlines():
            _, link = follow(link, line)
    except BrokenLine as broken:
        raise JournalDamaged(f"{last.name}: {broken}") from None
    return link, last, len(whole)


def _settle_end(last: Path, length: int) -> None:
    """Cut the file to this length, and make what is left of it durable."""
    descriptor = os.open(last, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, length)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(last.parent)


def records_after(folder: Path, sequence: int) -> Iterator[bytes]:
    """Yield the records of a journal whose sequence number is greater than `sequence`."""
    files = journal_files(folder)
    starts = [int(file.name.removesuffix(SUFFIX)) for file in files]
    for position, file in enumerate(files):
        if position + 1 < len(files) and starts[position + 1] <= sequence + 1:
            continue
        for line in file.read_bytes().splitlines():
            found, _, record = read_line(line)
            if found > sequence:
                yield record


def _link_before(content: bytes) -> Link:
    """What the first line of a file claims to follow."""
    try:
        sequence, previous, _ = read_line(content.split(b"\n", 1)[0])
    except BrokenLine as broken:
        raise JournalDamaged(str(broken)) from None
    return Link(sequence - 1, previous)


def _before(files: list[Path], folder: Path) -> Link:
    """The end of the chain when the last file is empty: that of the file before it."""
    if len(files) == 1:
        return START
    content = files[-2].read_bytes()
    link = _link_before(content)
    try:
        for line in content.splitlines():
            _, link = follow(link, line)
    except BrokenLine as broken:
        raise JournalDamaged(f"{files[-2].name}: {broken}") from None
    if file_for(folder, link.sequence + 1) != files[-1]:
        raise JournalDamaged(f"{files[-1].name} does not follow {files[-2].name}")
    return link
