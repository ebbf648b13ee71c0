"""Remembers single-use values among all workers of a machine, until they expire.

A file for each quarter of an hour, to which every worker appends what it has seen, and from which
it reads what the others have: under a lock, so that of two workers one is first. It is not synced:
it outlives the end of every process, but after a power cut what was seen in the last seconds may
be good once more.
"""

import errno
import fcntl
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

# No signature is good for longer than this, either way of its date.
PERIOD_SECONDS: Final = 900
# Of so many in one period no more are taken: 32 MiB on the disk, twice that in memory.
SEEN_MAX: Final = 1_000_000
_DIGEST_BYTES: Final = 32


class _Period:
    """The file of one period, and what this worker has read of it."""

    __slots__ = ("_file", "_read", "seen")

    def __init__(self, file: Path) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(file, flags, 0o600)
        self._read = 0
        self.seen: set[bytes] = set()

    def is_first(self, digest: bytes) -> bool:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._catch_up()
            if digest in self.seen or len(self.seen) >= SEEN_MAX:
                return False
            self._append(digest)
            self._catch_up()
            return True
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _append(self, digest: bytes) -> None:
        """Write a digest, or nothing: what follows a part of one could never be found again.

        Raises:
            OSError: it could not be written, on a full disk for example.
        """
        size = os.fstat(self._file).st_size
        whole = size - size % _DIGEST_BYTES
        if whole != size:  # its worker was killed, and has answered nothing
            os.ftruncate(self._file, whole)
        written = 0
        try:
            written = os.write(self._file, digest)
        finally:
            if written != len(digest):
                os.ftruncate(self._file, whole)
        if written != len(digest):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _catch_up(self) -> None:
        size = os.fstat(self._file).st_size
        while size - self._read >= _DIGEST_BYTES:
            wanted = min(size - self._read, 1 << 20)
            found = os.pread(self._file, wanted - wanted % _DIGEST_BYTES, self._read)
            for begin in range(0, len(found), _DIGEST_BYTES):
                self.seen.add(found[begin : begin + _DIGEST_BYTES])
            self._read += len(found)

    def close(self) -> None:
        os.close(self._file)


class Once:
    """Says of each thing whether it is seen for the first time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._periods: dict[int, _Period] = {}

    def is_first(self, thing: str, at: float) -> bool:
        """Return whether nobody has asked about a thing before; `at` is the time written in it.

        The same thing must come with the same time. False also with too many to keep apart.

        Raises:
            OSError: it cannot be written down, so it must not be taken.
        """
        number = int(at // PERIOD_SECONDS)
        period = self._periods.get(number) or self._open(number)
        return period.is_first(sha256(thing.encode("utf-8", "surrogatepass")).digest())

    def close(self) -> None:
        for period in self._periods.values():
            period.close()
        self._periods.clear()

    def _open(self, number: int) -> _Period:
        """Open a period's file; those of two periods before and earlier are over, and go."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in [one for one in self._periods if one < number - 2]:
            self._periods.pop(old).close()
        for file in self._folder.iterdir():
            if not file.name.isascii() or not file.name < f"{number - 2:012}":
                continue
            with suppress(OSError):
                file.unlink()
        period = self._periods[number] = _Period(self._folder / f"{number:012}")
        return period
