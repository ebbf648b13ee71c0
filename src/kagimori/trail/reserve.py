"""Room kept for the journal: a file that is given up when the disk is full.

With the room it frees, refusals can still be recorded, though nothing else is done any more until
there is enough for a new reserve.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

RESERVE_NAME: Final = ".reserve"
RESERVE_BYTES: Final = 4 * 1024 * 1024  # some thousands of refusals
TAKE_SECONDS: Final = 1.0  # between tries to have it back


class Reserve:
    """One journal's reserve; none at all if `size` is 0. Belongs to one thread."""

    def __init__(self, folder: Path, size: int) -> None:
        self._file = folder / RESERVE_NAME
        self._size = size
        self._tried_at = 0.0
        self.held = size == 0 or self._take()

    def give_up(self) -> bool:
        """Free the room; return whether there was any to free."""
        if self._size == 0 or not self.held:
            return False
        self.held = False
        with contextlib.suppress(OSError):
            self._file.unlink()
        return True

    def take_back(self) -> None:
        """Have a reserve again if there is room for it, and as much beside; not tried too often."""
        if not self.held and time.monotonic() - self._tried_at >= TAKE_SECONDS:
            self.held = self._take()

    def _take(self) -> bool:
        self._tried_at = time.monotonic()
        try:
            if self._file.exists() and self._file.stat().st_blocks * 512 >= self._size:
                return True
            system = os.statvfs(self._file.parent)
            if system.f_bavail * system.f_frsize < 2 * self._size:
                return False
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                self._file.unlink()
            return False
        return True
