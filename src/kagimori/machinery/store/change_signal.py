"""A number shared by the workers of one node: it differs from what one saw when the store changed.

Eight bytes in a mapped file: looking costs nothing, so every request looks.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import Final

_NUMBER: Final = struct.Struct("<Q")


class ChangeSignal:
    """The newest change sequence that any worker of this node has committed."""

    def __init__(self, path: Path) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size < _NUMBER.size:
                os.ftruncate(file, _NUMBER.size)
            self._map = mmap.mmap(file, _NUMBER.size)
        finally:
            os.close(file)

    def get(self) -> bytes:
        """The number's bytes: to be compared, nothing else."""
        return self._map[:]

    def set(self, sequence: int) -> None:
        self._map[:] = _NUMBER.pack(sequence)

    def close(self) -> None:
        self._map.close()
