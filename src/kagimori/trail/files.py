"""The files of one journal: named by their first sequence number, appended to, never rewritten.

    audit/STREAM/00000000000000000001.jsonl

What a crash left at the very end is seen to by `recovery`, at start.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kagimori.rules.chain.chain import read_line
from kagimori.rules.numbers import whole

SUFFIX: Final = ".jsonl"
_NAME_DIGITS: Final = 20


def journal_files(folder: Path) -> list[Path]:
    """Return the files of a journal, oldest first."""
    return sorted(folder.glob("*" + SUFFIX))


def first_sequence_of(file: Path) -> int | None:
    """Return the sequence number in a file's name; None if it is not the name of one of ours."""
    digits = file.name.removesuffix(SUFFIX)
    return whole(digits, digits_max=_NAME_DIGITS) if len(digits) == _NAME_DIGITS else None


def file_for(folder: Path, first_sequence: int) -> Path:
    return folder / f"{first_sequence:0{_NAME_DIGITS}}{SUFFIX}"


def records_after(folder: Path, sequence: int) -> Iterator[bytes]:
    """Yield the records of a journal whose sequence number is greater than `sequence`.

    Raises:
        BrokenLine: a line is damaged.
    """
    files = journal_files(folder)
    starts = [int(file.name.removesuffix(SUFFIX)) for file in files]
    for position, file in enumerate(files):
        if position + 1 < len(files) and starts[position + 1] <= sequence + 1:
            continue
        for line in file.read_bytes().splitlines():
            found, _, record = read_line(line)
            if found > sequence:
                yield record
