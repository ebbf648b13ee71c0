"""Counts of all buckets of quotas, for each worker of a node, in shared memory.

A section for each worker, which it alone writes and the others read: counting asks nobody and locks
nothing. Which bucket has which place in the sections stands in a directory in front of them; only
to give a bucket its place a lock is taken, once. The file has room for so many buckets and never
grows; it is made anew with every start of the server.
"""

import fcntl
import mmap
import os
import secrets
import struct
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from kagimori.rules.quotas.fair_bucket import COUNTS, RATE, REFUSED, TOTAL, Counts

BUCKETS_MAX: Final = 4096
_SEED_BYTES: Final = 16
_NAME_BYTES: Final = 16
_COUNT: Final = struct.Struct("<Q")
_NAMES: Final = _COUNT.size + _SEED_BYTES
_SECTIONS: Final = _NAMES + BUCKETS_MAX * _NAME_BYTES
_NUMBER_BYTES: Final = 8
_SECTION_NUMBERS: Final = BUCKETS_MAX * COUNTS
# This node's share and its even part, for buckets to come, and for each.
_SHARES: Final = 2 * (1 + BUCKETS_MAX)


def make_counts(path: Path, workers: int) -> None:
    """Make an empty file for so many workers, in place of the one there may be."""
    made = path.with_name(f"{path.name}.new")
    file = os.open(made, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(file, _size(workers))
        os.pwrite(file, secrets.token_bytes(_SEED_BYTES), _COUNT.size)
        os.pwrite(file, struct.pack("=2d", 1.0, 1.0), _size(workers) - _SHARES * _NUMBER_BYTES)
    finally:
        os.close(file)
    made.replace(path)


class QuotaCounts:
    """The counts as the worker with section `own` (from 0) sees them."""

    def __init__(self, path: Path, own: int, workers: int) -> None:
        """Open the file that `make_counts` made.

        Raises:
            OSError: there is none, or it is of another size.
        """
        self.workers = workers
        self._own = own
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        if os.fstat(self._file).st_size != _size(workers):
            os.close(self._file)
            raise OSError(f"{path} is not for {workers} workers")
        self._map = mmap.mmap(self._file, _size(workers))
        self._numbers = memoryview(self._map)[_SECTIONS:].cast("d")
        self.seed = self._map[_COUNT.size : _NAMES]
        self._shares = workers * _SECTION_NUMBERS
        self._places: dict[bytes, int] = {}

    def of(self, name: str) -> tuple[Counts, Sequence[Counts], Counts] | None:
        """Return a bucket's counts, own and others', and this node's share; None without room."""
        place = self._place(blake2b(name.encode(), digest_size=_NAME_BYTES).digest())
        if place is None:
            return None
        sections = [self._section(number, place) for number in range(self.workers)]
        return sections.pop(self._own), sections, self._share(1 + place)

    def asked(self) -> dict[str, tuple[float, float]]:
        """Return how much was asked of this node since its start, and the rate, for each bucket."""
        self._learn_places()
        found: dict[str, tuple[float, float]] = {}
        for name, place in self._places.items():
            sections = [self._section(number, place) for number in range(self.workers)]
            total = sum(section[TOTAL] + section[REFUSED] for section in sections)
            found[name.hex()] = total, max(section[RATE] for section in sections)
        return found

    def set_shares(self, shares: Mapping[str, float], others: float) -> None:
        """Set this node's share of each bucket named, and of all `others` that there will be."""
        for place in (0, *(1 + place for place in self._places.values())):
            self._share(place)[1] = others
        self._share(0)[0] = others
        for name, place in self._places.items():
            self._share(1 + place)[0] = shares.get(name.hex(), others)

    def close(self) -> None:
        os.close(self._file)

    def _section(self, number: int, place: int) -> "memoryview[float]":
        begin = number * _SECTION_NUMBERS + place * COUNTS
        return self._numbers[begin : begin + COUNTS]

    def _share(self, place: int) -> "memoryview[float]":
        begin = self._shares + 2 * place
        return self._numbers[begin : begin + 2]

    def _place(self, name: bytes) -> int | None:
        if name in self._places:
            return self._places[name]
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            known = self._learn_places()
            if name not in self._places and known < BUCKETS_MAX:
                begin = _NAMES + known * _NAME_BYTES
                self._map[begin : begin + _NAME_BYTES] = name
                self._share(1 + known)[:] = self._share(0)
                _COUNT.pack_into(self._map, 0, known + 1)
                self._places[name] = known
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return self._places.get(name)

    def _learn_places(self) -> int:
        """Learn which places others have given away; return how many there are."""
        known = int(_COUNT.unpack_from(self._map, 0)[0])
        for place in range(len(self._places), min(known, BUCKETS_MAX)):
            begin = _NAMES + place * _NAME_BYTES
            self._places[self._map[begin : begin + _NAME_BYTES]] = place
        return known


def _size(workers: int) -> int:
    return _SECTIONS + (workers * _SECTION_NUMBERS + _SHARES) * _NUMBER_BYTES
