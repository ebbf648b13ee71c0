"""The witness: the newest version of each bucket that this node has seen, in a mapped file.

It lies in the data folder, outside the store, so that somebody who can write to the store alone
cannot put back an old bucket with its old rows, or an old store as a whole. It is raised only after
what it names was committed, and never synced: after a power cut it may lag, which means that less
is noticed, and is never ahead. All workers of a node share it.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kagimori.rules.integrity.buckets import Place
from kagimori.rules.integrity.marks import BUCKETS

SPACES_MAX: Final = 256
NAME_BYTES: Final = 64
_HEAD: Final = b"kagimori witness 1\n"
_HEAD_BYTES: Final = 4096
_NAMES_BYTES: Final = SPACES_MAX * NAME_BYTES
_VERSION_BYTES: Final = 8
_SPACE_BYTES: Final = BUCKETS * _VERSION_BYTES


class WitnessUnusable(Exception):
    """The file is no witness, or of another version."""


class Witness:
    """The versions of the buckets in some spaces. Any thread may use it."""

    def __init__(self, path: Path, spaces: Sequence[str]) -> None:
        """Open the file, or make it; a space that it does not have yet is added.

        Raises:
            WitnessUnusable: it is something else.
            OSError: it cannot be read or written.
        """
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._numbers = _numbers(file, spaces)
            length = _start_of(len(self._numbers))
            if os.fstat(file).st_size < length:
                os.ftruncate(file, length)  # holes: a bucket takes room once it has a version
            self._map = mmap.mmap(file, length)
        except BaseException:
            os.close(file)
            raise
        fcntl.flock(file, fcntl.LOCK_UN)  # the map keeps the file open, and so its lock
        self._file = file
        # As numbers of the machine: each is read and written whole, whoever else does.
        self._versions = memoryview(self._map).cast("Q")

    def seen(self, place: Place) -> int:
        """Return the newest version seen; 0 for a bucket that was never seen."""
        return self._versions[self._index(place)]

    def saw(self, place: Place, version: int) -> None:
        """Note a version that is committed."""
        index = self._index(place)
        self._versions[index] = max(self._versions[index], version)

    def of_space(self, space: str) -> list[tuple[int, int]]:
        """Return the buckets of a space that were seen, with the version of each."""
        start = _start_of(self._numbers[space])
        found: list[tuple[int, int]] = []
        for offset, length in self._written(start, start + _SPACE_BYTES):
            versions = memoryview(os.pread(self._file, length, offset)).cast("Q")
            first = (offset - start) // _VERSION_BYTES
            found += [(first + at, version) for at, version in enumerate(versions) if version]
        return found

    def _written(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield where the file has no holes, so that those are not read into memory."""
        while start < end:
            try:
                begin = os.lseek(self._file, start, os.SEEK_DATA)
                stop = min(end, os.lseek(self._file, begin, os.SEEK_HOLE))
            except OSError as problem:
                if problem.errno == errno.ENXIO:  # nothing but a hole is left
                    return
                begin, stop = start, end  # a filesystem that does not know of holes
            if begin >= end:
                return
            yield begin, stop - begin
            start = stop

    def close(self) -> None:
        self._versions.release()
        self._map.close()
        os.close(self._file)

    def _index(self, place: Place) -> int:
        start = _start_of(self._numbers[place.space])
        return start // _VERSION_BYTES + place.bucket


def remove_witness(path: Path) -> None:
    """Forget every version: the store is believed as it is now. No server may run meanwhile."""
    path.unlink(missing_ok=True)


def _start_of(number: int) -> int:
    return _HEAD_BYTES + _NAMES_BYTES + number * _SPACE_BYTES


def _numbers(file: int, spaces: Sequence[str]) -> dict[str, int]:
    """Return the number of each space in a file, with the ones that are new to it added.

    Raises:
        WitnessUnusable: the file is something else, or there are too many spaces.
    """
    if os.fstat(file).st_size == 0:
        os.pwrite(file, b"\0" * _NAMES_BYTES, _HEAD_BYTES)
        os.pwrite(file, _HEAD, 0)
    if os.pread(file, len(_HEAD), 0) != _HEAD:
        raise WitnessUnusable
    names = os.pread(file, _NAMES_BYTES, _HEAD_BYTES)
    cells = [names[at : at + NAME_BYTES] for at in range(0, len(names), NAME_BYTES)]
    known = [cell.rstrip(b"\0").decode() for cell in cells if cell.strip(b"\0")]
    for space in spaces:
        if space in known:
            continue
        encoded = space.encode()
        if len(known) >= SPACES_MAX or len(encoded) > NAME_BYTES:
            raise WitnessUnusable
        os.pwrite(file, encoded, _HEAD_BYTES + len(known) * NAME_BYTES)
        known.append(space)
    return {space: number for number, space in enumerate(known)}
