"""A stream of another node, as a copy in this node's audit folder: the same lines, the same chain.

What comes from the store is believed only as far as the chain holds: each line must name the one
before it. The copy has a synced mark of its own, so that followers and verification treat it as
any stream. It is never written to by workers.
"""

import os
from pathlib import Path

from kagimori.machinery.files import sync_folder
from kagimori.rules.chain.chain import START, BrokenLine, Link, follow, read_line
from kagimori.rules.nodes.shared_trail import BadBlock, TrailBlock, lines_in
from kagimori.trail.files import file_for, journal_files
from kagimori.trail.mark import SyncedMark
from kagimori.trail.tail import TrailBroken, place_at_end


class Mirror:
    """The copy of one stream. Belongs to one thread."""

    def __init__(self, folder: Path, marks: Path) -> None:
        """Go on from the last whole line of the copy; what a crash left after it is cut off.

        Raises:
            OSError: the folder or the mark cannot be read or written.
            TrailBroken: the copy's last line is none.
        """
        self.stream, self._folder = folder.name, folder
        folder.mkdir(mode=0o700, exist_ok=True)
        place = place_at_end(folder)
        self._file = folder / place.file if place.file else None
        if self._file is not None:
            os.truncate(self._file, place.offset)
        for file in journal_files(folder):  # which a crash left without a whole line
            if file.name > place.file:
                file.unlink()
        self.end = Link(place.sequence, place.line_hash) if place.sequence else START
        self.begins: tuple[int, str] | None = None
        self._mark = SyncedMark(marks / folder.name)
        self._mark.settle(self.end)

    def close(self) -> None:
        self._mark.close()

    def take(self, block: TrailBlock) -> int:
        """Add the lines of a block that are new here; return their number.

        Raises:
            TrailBroken: they do not follow what is here, or are no lines of this stream.
            OSError: they cannot be written; nothing of them counts.
        """
        lines = self._new_lines(block)
        if not lines:
            return 0
        end, begins = self.end, None
        first, previous, _ = self._read(lines[0])
        if end == START and first > 1:  # the store has no earlier ones any more
            begins, end = (first, previous), Link(first - 1, previous)
        try:
            for line in lines:
                _, end = follow(end, line)
        except BrokenLine as broken:
            raise TrailBroken(f"{self.stream}, as another node shared it: {broken}") from None
        self._write(self._file_of(block, first), b"\n".join([*lines, b""]))
        self._mark.write(end)
        self.end, self.begins = end, begins or self.begins
        return len(lines)

    def _new_lines(self, block: TrailBlock) -> list[bytes]:
        if block.stream != self.stream:
            raise TrailBroken(f"{self.stream}: a block of another stream")
        try:
            begins = block.first_sequence
            if block.last_sequence <= self.end.sequence:
                return []
            lines = lines_in(block)
        except BadBlock as bad:
            raise TrailBroken(f"{self.stream}, block {block.first}: {bad}") from None
        return lines[max(0, self.end.sequence + 1 - begins) :]

    def _read(self, line: bytes) -> tuple[int, str, bytes]:
        try:
            return read_line(line)
        except BrokenLine as broken:
            raise TrailBroken(f"{self.stream}, as another node shared it: {broken}") from None

    def _file_of(self, block: TrailBlock, first: int) -> Path:
        """Return the file for lines from `first` on: files begin where those of the node do."""
        if block.offset == 0 and first == block.first_sequence:
            return self._folder / block.file
        return self._file or file_for(self._folder, first)

    def _write(self, file: Path, content: bytes) -> None:
        is_new = not file.exists()
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            try:
                _write_all(descriptor, content)
                os.fdatasync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self._folder)
        self._file = file


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
