"""Follows the journals as they grow: each reader at its own place, each line once.

What is read is no further than what a worker has answered for: a line that is written, but not
yet synced, may still be taken back.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct

from kagimori.rules.chain.chain import GENESIS, BrokenLine, read_line
from kagimori.rules.chain.groups import unmarked
from kagimori.rules.records.entry import Entry, decode_entry
from kagimori.trail.files import first_sequence_of, journal_files

PIECE_BYTES: Final = 1024 * 1024
END_BYTES: Final = 8 * 1024 * 1024  # more than any line
EVERYTHING: Final = 1 << 62
_HEAD_BYTES: Final = len(b'{"sequence":,"previous":"","record":') + len(GENESIS)


# A record that begins or ends a group has blanks inside its brackets.
_MARKS: Final = b" \t"


class TrailBroken(Exception):
    """A journal does not go on from where this reader was."""


class Place(Struct, frozen=True):
    """The position of a reader in a stream: the last line read, and the start of the next."""

    file: str = ""
    offset: int = 0
    sequence: int = 0
    line_hash: str = GENESIS


class Decoded(Struct, frozen=True, gc=False):
    """A record, and its searchable entry; no entry if its form is unknown."""

    sequence: int
    offset: int
    record: bytes
    entry: Entry | None


class Lines(Struct, frozen=True, dict=True):
    """Lines of one file, in order; the first of them has this offset and sequence number."""

    file: str
    offset: int
    first_sequence: int
    lines: list[bytes]
    elsewhere: frozenset[str] = frozenset()  # events that count in another stream

    @cached_property
    def decoded(self) -> list[Decoded]:
        """The records, decoded once for all who read these lines."""
        found = []
        for sequence, offset, record in self.records():
            try:
                entry = decode_entry(record)
            except ValueError:
                entry = None
            if entry is not None and entry.event_id in self.elsewhere:
                entry = None
            found.append(Decoded(sequence, offset, record, entry))
        return found

    @property
    def end(self) -> int:
        """The offset after the last of them."""
        return self.offset + sum(map(len, self.lines)) + len(self.lines)

    def after(self, offset: int) -> "Lines | None":
        """Return the lines from an offset on; None if no line begins there."""
        at = self.offset
        for number, line in enumerate(self.lines):
            if at == offset:
                rest = Lines(
                    self.file,
                    at,
                    self.first_sequence + number,
                    self.lines[number:],
                    self.elsewhere,
                )
                if "decoded" in self.__dict__:
                    rest.__dict__["decoded"] = self.decoded[number:]
                return rest
            at += len(line) + 1
        return None

    def records(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield sequence, offset and record of each line."""
        offset = self.offset
        for sequence, line in enumerate(self.lines, self.first_sequence):
            record = line[_HEAD_BYTES + len(str(sequence)) : -1]
            if record[1] in _MARKS or record[-2] in _MARKS:
                record = unmarked(record)
            yield sequence, offset, record
            offset += len(line) + 1


def record_in(line: bytes, sequence: int) -> bytes:
    """Return the record in a line that is known to be well formed."""
    return unmarked(line[_HEAD_BYTES + len(str(sequence)) : -1])


class Shared(Protocol):
    """Lines that some reader has read, kept for the others for a while."""

    def find(self, stream: str, place: Place) -> Lines | None: ...

    def keep(self, stream: str, lines: Lines) -> None: ...


class StreamTail:
    """One reader of one stream."""

    def __init__(
        self,
        folder: Path,
        place: Place | None = None,
        *,
        hashes_files: bool = False,
        shared: Shared | None = None,
        elsewhere: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self.stream = folder.name
        self.place = place or Place()
        self._folder = folder
        self._hashes_files = hashes_files
        self._shared, self._elsewhere = shared, elsewhere
        self._hasher: Any = None

    def read(self, up_to: int = EVERYTHING) -> Iterator[Lines]:
        """Yield new lines up to a sequence number; `place` advances with them.

        Raises:
            TrailBroken: what is there does not follow what was read before.
            OSError: it cannot be read.
        """
        while self.place.sequence < up_to:
            file = self._current_file()
            if file is None:
                return
            if not file.exists():
                raise TrailBroken(f"{self.stream}/{file.name} is gone")
            following = self._next_file(file)  # before reading: what stands here then is all of it
            yield from self._read_file(file, up_to)
            if following is None or self.place.offset < file.stat().st_size:
                return
            self._go_to(following)

    def file_hash(self) -> str:
        """Return the SHA-256 of the current file up to the place; for a tail that hashes files."""
        return str(self._hash_so_far().copy().hexdigest())

    def _current_file(self) -> Path | None:
        if self.place.file:
            return self._folder / self.place.file
        files = journal_files(self._folder)
        if not files:
            return None
        self._go_to(files[0], begins=True)
        return files[0]

    def _next_file(self, file: Path) -> Path | None:
        return next(
            (later for later in journal_files(self._folder) if later.name > file.name), None
        )

    def _go_to(self, file: Path, *, begins: bool = False) -> None:
        before = self.place
        sequence, line_hash = before.sequence, before.line_hash
        first = first_sequence_of(file)
        if begins and first is not None and first > 1:
            # What came before was retired.
            sequence, line_hash = first - 1, ""
        self.place = Place(file.name, 0, sequence, line_hash)
        self._hasher = sha256()

    def _read_file(self, file: Path, up_to: int) -> Iterator[Lines]:
        hasher = self._hash_so_far() if self._hashes_files else None
        while (found := self._found(up_to)) is not None:
            taken = self._take(file.name, found.lines, up_to, found)
            if taken is None:
                return
            if hasher is not None:
                hasher.update(b"\n".join([*taken.lines, b""]))
            yield taken
        with file.open("rb", buffering=0) as content:
            content.seek(self.place.offset)
            rest = b""
            while read := content.read(PIECE_BYTES):
                end = read.rfind(b"\n") + 1
                if not end:
                    rest += read
                    continue
                lines = (rest + read[:end]).split(b"\n")
                rest = read[end:]
                lines.pop()
                taken = self._take(file.name, lines, up_to)
                if taken is None:
                    return
                if hasher is not None:
                    hasher.update(b"\n".join([*taken.lines, b""]))
                yield taken
                if len(taken.lines) < len(lines):
                    return

    def _found(self, up_to: int) -> Lines | None:
        """Return the next lines as another reader has read them, if all of them may be read."""
        if self._shared is None:
            return None
        found = self._shared.find(self.stream, self.place)
        if found is None or found.first_sequence + len(found.lines) - 1 > up_to:
            return None
        return found

    def _take(
        self, name: str, lines: list[bytes], up_to: int, found: Lines | None = None
    ) -> Lines | None:
        """Move on past these lines, once they are the next ones; `found` is them as shared."""
        place = self.place
        if found is None:
            del lines[max(0, up_to - place.sequence) :]
        if not lines:
            return None
        try:
            first, previous, _ = read_line(lines[0])
            last, _, _ = read_line(lines[-1])
        except BrokenLine as broken:
            raise TrailBroken(f"{self.stream}/{name}: {broken}") from None
        follows = place.line_hash in ("", previous)
        if first != place.sequence + 1 or last != place.sequence + len(lines) or not follows:
            raise TrailBroken(
                f"{self.stream}/{name}: what follows record {place.sequence} is not what was there"
            )
        offset = place.offset + sum(map(len, lines)) + len(lines)
        self.place = Place(name, offset, last, sha256(lines[-1]).hexdigest())
        if found is not None:
            return found
        taken = Lines(name, place.offset, first, lines, self._elsewhere())
        if self._shared is not None:
            self._shared.keep(self.stream, taken)
        return taken

    def _hash_so_far(self) -> Any:
        if self._hasher is None:
            self._hasher = sha256()
            remaining = self.place.offset
            if remaining:
                with (self._folder / self.place.file).open("rb") as content:
                    while remaining and (piece := content.read(min(PIECE_BYTES, remaining))):
                        self._hasher.update(piece)
                        remaining -= len(piece)
        return self._hasher


def place_after(folder: Path, file: str, offset: int, sequence: int, line_hash: str) -> Place:
    """Return the place after a line that was read before.

    Raises:
        TrailBroken: that line is not there any more.
        OSError: it cannot be read.
    """
    if sequence == 0:
        return Place()
    with (folder / file).open("rb") as content:
        start = max(0, offset - PIECE_BYTES)
        content.seek(start)
        before = content.read(offset - start)
    line = before[:-1].rpartition(b"\n")[2]
    if not before.endswith(b"\n") or sha256(line).hexdigest() != line_hash:
        raise TrailBroken(f"{folder.name}/{file}: record {sequence} is not what was there")
    return Place(file, offset, sequence, line_hash)


def place_at_end(folder: Path) -> Place:
    """Return the place after the last whole line of a stream.

    Raises:
        OSError: it cannot be read.
    """
    for file in reversed(journal_files(folder)):
        size = file.stat().st_size
        with file.open("rb") as content:
            content.seek(max(0, size - END_BYTES))
            whole, newline, rest = content.read().rpartition(b"\n")
        line = whole.rpartition(b"\n")[2]
        if newline:
            try:
                sequence, _, _ = read_line(line)
            except BrokenLine as broken:
                raise TrailBroken(f"{folder.name}/{file.name}: {broken}") from None
            return Place(file.name, size - len(rest), sequence, sha256(line).hexdigest())
    return Place()
