"""Signals changes of the store among the workers of a node, through shared memory.

A count for each worker in a mapped file: looking costs nothing, so every request looks. Each
worker raises its own count alone, so none can undo another's.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import Final

_COUNT: Final = struct.Struct("<Q")
WORKERS_MAX: Final = 64
# The count of whoever changes the store from the command line.
ADMIN_SLOT: Final = WORKERS_MAX
_SLOTS: Final = WORKERS_MAX + 1


class ChangeSignal:
    """The counts; `slot` (0 to 63) is the one that is ours to raise.

    The bytes of `counts` are there to be compared, and for nothing else.
    """

    def __init__(self, path: Path, slot: int = 0) -> None:
        self._slot = slot * _COUNT.size
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size < _SLOTS * _COUNT.size:
                os.ftruncate(file, _SLOTS * _COUNT.size)
            self.counts = mmap.mmap(file, _SLOTS * _COUNT.size)
        finally:
            os.close(file)

    def notify(self) -> None:
        """Notify the other workers that the store has changed."""
        (count,) = _COUNT.unpack_from(self.counts, self._slot)
        _COUNT.pack_into(self.counts, self._slot, count + 1)

    def with_own(self, seen: bytes) -> bytes:
        """Return counts that were seen with our own as it is: we know our own changes."""
        if not seen:
            return seen
        end = self._slot + _COUNT.size
        return b"".join((seen[: self._slot], self.counts[self._slot : end], seen[end:]))

    def close(self) -> None:
        self.counts.close()
