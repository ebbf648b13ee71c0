"""The HSM's own journal: what credentials it made, chained by hash, on disk before the answer.

It comes as an inherited descriptor, open for reading and appending, and has the form of the audit
journals: a line is `{"sequence":N,"previous":"HEX","record":{...}}`, and names the SHA-256 of the
line before it. `kagimori audit verify` compares it with what the workers recorded.
"""

import asyncio
import os
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from hashlib import sha256
from typing import Any, Final

import msgspec

TAIL_BYTES: Final = 64 * 1024
_GENESIS: Final = "0" * 64
_LINE: Final = re.compile(
    rb'\{"sequence":([0-9]{1,19}),"previous":"[0-9a-f]{64}","record":\{.*\}\}'
)


class JournalBroken(Exception):
    """The journal's end is not a line of ours; nothing can be added to it."""


class Journal:
    """Lines wait in memory until they are written together; without a descriptor they are dropped.

    `add` is the loop's and the slow lane's, `take` the loop's, `write` the journal thread's.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._waiting: list[bytes] = []
        self._adding = threading.Lock()
        self._sequence, self._line_hash, self._size = 0, _GENESIS, 0
        if descriptor is not None:
            self._find_end(descriptor)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Have an entry written next."""
        encoded = msgspec.json.encode(entry)
        with self._adding:
            self._waiting.append(encoded)

    def take(self) -> list[bytes]:
        """Return the entries that are to be written, which are nobody else's then."""
        with self._adding:
            entries, self._waiting = self._waiting, []
        return entries

    def write(self, entries: list[bytes]) -> None:
        """Return when the entries are on disk, or none of them is.

        Raises:
            OSError: they could not be written.
        """
        if self._descriptor is None or not entries:
            return
        sequence, line_hash, lines = self._sequence, self._line_hash, b""
        for entry in entries:
            sequence += 1
            line = b'{"sequence":%d,"previous":"%b","record":%b}' % (
                sequence,
                line_hash.encode(),
                entry,
            )
            line_hash = sha256(line).hexdigest()
            lines += line + b"\n"
        try:
            _write_all(self._descriptor, lines)
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._sequence, self._line_hash = sequence, line_hash
        self._size += len(lines)

    def _find_end(self, descriptor: int) -> None:
        """Go on after the last whole line; what a crash left of another was never answered."""
        size = os.lseek(descriptor, 0, os.SEEK_END)
        tail = os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES))
        whole, _, torn = tail.rpartition(b"\n")
        if torn:
            size -= len(torn)
            os.ftruncate(descriptor, size)
        self._size = size
        if size == 0:
            return
        line = whole.rpartition(b"\n")[2]
        match = _LINE.fullmatch(line)
        if match is None:
            raise JournalBroken
        self._sequence, self._line_hash = int(match[1]), sha256(line).hexdigest()


class JournalWriter:
    """Writes added entries, and notifies their waiters: all of one writing together."""

    def __init__(self, journal: Journal, executor: Executor | None = None) -> None:
        self._journal = journal
        self._executor = executor or ThreadPoolExecutor(1, "journal")
        self._waiting: list[Callable[[bool], None]] = []
        self._is_writing = False

    def when_written(self, done: Callable[[bool], None]) -> None:
        """Call `done` once all that was added until now is on disk, or with False if it is not."""
        self._waiting.append(done)
        if not self._is_writing:
            self._write()

    def _write(self) -> None:
        self._is_writing = True
        waiting, self._waiting = self._waiting, []
        entries = self._journal.take()
        writing = asyncio.get_running_loop().run_in_executor(
            self._executor, self._journal.write, entries
        )
        writing.add_done_callback(lambda done: self._notify(waiting, done))

    def _notify(self, waiting: list[Callable[[bool], None]], done: "asyncio.Future[None]") -> None:
        self._is_writing = False
        if self._waiting:
            self._write()
        written = not done.cancelled() and done.exception() is None
        for one in waiting:
            one(written)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
    os.fdatasync(descriptor)
