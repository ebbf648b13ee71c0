"""The audit journal: records appended in groups, one fdatasync for all that is waiting.

A thread writes and syncs; the loop goes on. While one group is on its way to the disk the next
one gathers, so the busier the server, the larger the groups. A record counts only once synced; a
group is written only once the one before it was.
"""

import asyncio
import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from msgspec import Struct

from kagimori.machinery.files import sync_folder
from kagimori.pending import Pending
from kagimori.rules.chain.chain import Link, join
from kagimori.rules.chain.groups import mark_group
from kagimori.trail.files import file_for
from kagimori.trail.mark import SyncedMark, read_mark
from kagimori.trail.recovery import recover_end
from kagimori.trail.reserve import Reserve

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
WAIT_SECONDS_MAX: Final = 5.0
RETRY_SECONDS: Final = 0.5


class JournalFailed(Exception):
    """The record is not on disk; nothing may be answered on the strength of it."""


class _Group(Struct, eq=False):
    """Records on their way to the disk together."""

    content: bytes
    end: Link
    waiting: list[Pending[None]]
    records: int
    failure: OSError | None = None
    given_up: bool = False
    is_marked: bool = False
    sync_seconds: float = 0.0


class Journal:
    """One writer's journal; `append` settles when the record is durable."""

    def __init__(
        self,
        folder: Path,
        *,
        on_synced: Callable[[int, float], None] = lambda records, seconds: None,
        on_failed: Callable[[OSError], None] = lambda failure: None,
        reserve_bytes: int = 0,
        mark: Path | None = None,
    ) -> None:
        """Recover the end, with the synced mark in the file `mark`; `cut` says what was cut off.

        Raises:
            JournalDamaged: something is gone that had been acknowledged.
            OSError: it cannot be read or written.
        """
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for parent in (folder.parent, folder.parent.parent):
            sync_folder(parent)
        self._folder = folder
        recovered = recover_end(folder, None if mark is None else read_mark(mark))
        self.cut = recovered.cut
        self._end, self._file_bytes = recovered.end, recovered.length
        self._file = self._open(recovered.file)
        self._mark = None if mark is None else SyncedMark(mark)
        if self._mark is not None:
            self._mark.settle(self._end)
        self._reserve = Reserve(folder, reserve_bytes)
        self._loop = asyncio.get_running_loop()
        # What gathers while a group is on its way, and who waits for it (a probe has no record).
        self._records: list[bytes] = []
        self._waiting: list[Pending[None]] = []
        self._group: _Group | None = None
        self._group_since = 0.0
        self._giving_up = threading.Lock()  # a group is given up or marked as synced, never both
        self._healthy = True
        self._dirty = False  # whether the file may hold bytes that were never acknowledged
        self._on_synced, self._on_failed = on_synced, on_failed
        self._groups: SimpleQueue[_Group | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write_groups, name="journal", daemon=True)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Return whether the last write succeeded, none hangs, and no reserve is being used up."""
        hangs = self._group is not None and self._hangs()
        return self._healthy and self._reserve.held and not hangs

    @property
    def end(self) -> Link:
        """The end of the chain on disk."""
        return self._end

    def append(self, record: bytes) -> Pending[None]:
        """Put a record (JSON, one line) into the journal; settled once it is durable.

        INVARIANT(record-before-release): the pending settles after fdatasync, never before.
        Fails with `JournalFailed` when the disk refuses, or lets us wait too long.
        """
        if self._group is not None and self._hangs():
            refused: Pending[None] = Pending()
            refused.fail(JournalFailed("the disk does not answer"))
            return refused
        if self._group is None and not self._waiting:
            # With the others of this turn of the loop.
            self._loop.call_soon(self._send_group)
        pending: Pending[None] = Pending()
        self._records.append(record)
        self._waiting.append(pending)
        return pending

    def probe(self) -> None:
        """Try the disk again with nothing to write, so that service resumes when room returns."""
        if self._group is None and not self._waiting:
            self._waiting.append(Pending())
            self._send_group()

    async def close(self) -> None:
        """Wait for the present write, then end the thread."""
        deadline = self._loop.time() + WAIT_SECONDS_MAX
        while (self._group or self._waiting) and self._loop.time() < deadline:
            await asyncio.sleep(0.005)
        self._groups.put(None)
        if self._file >= 0:  # none, if no record ever came
            os.close(self._file)
            self._file = -1

    def give_up_waiting(self) -> None:
        """Fail records that wait behind a disk that is silent for too long; called by a timer."""
        if not self._hangs():
            return
        waiting, self._waiting, self._records = self._waiting, [], []
        with self._giving_up:
            group = self._group
            if group is not None and not group.is_marked:  # else it has come through just now
                waiting += group.waiting
                group.waiting = []
                group.given_up = True
        for pending in waiting:
            pending.fail(JournalFailed("the disk does not answer"))

    def _hangs(self) -> bool:
        return self._group is not None and self._loop.time() - self._group_since > WAIT_SECONDS_MAX

    # --- the loop's side ----------------------------------------------------------------------

    def _send_group(self) -> None:
        if self._group is not None:
            return  # what gathers goes when that is done; two on their way would fork the chain
        if not self._waiting:
            return
        content, link = join(self._end, *mark_group(self._end, self._records))
        self._group = _Group(content, link, self._waiting, len(self._records))
        self._records, self._waiting = [], []
        self._group_since = self._loop.time()
        self._groups.put(self._group)

    def _group_done(self, group: _Group) -> None:
        self._group = None
        if group.failure is None and group.given_up:
            # Its requests have failed already, so it must not stay, now that it did come through.
            self._file_bytes -= len(group.content)
            self._dirty, self._healthy = True, False
        elif group.failure is None:
            self._end = group.end
            self._healthy = True
            self._on_synced(group.records, group.sync_seconds)
            for pending in group.waiting:
                pending.settle(None)
        else:
            self._healthy = False
            self._on_failed(group.failure)
            reason = os.strerror(group.failure.errno or 0)
            for pending in group.waiting:
                pending.fail(JournalFailed(reason))
        if self._waiting and self._group is None:
            self._send_group()

    # --- the thread's side --------------------------------------------------------------------

    def _write_groups(self) -> None:
        while (group := self._groups.get()) is not None:
            try:
                self._write(group)
            except OSError as failure:
                group.failure = failure
            try:
                self._loop.call_soon_threadsafe(self._group_done, group)
            except RuntimeError:  # the loop has closed: nobody waits any more
                break
        if self._mark is not None:
            self._mark.close()

    def _write(self, group: _Group) -> None:
        began = time.perf_counter()
        try:
            self._write_once(group)
        except OSError as failure:
            if failure.errno != errno.ENOSPC or not self._reserve.give_up():
                raise
            self._alarm_full()
            self._write_once(group)
        else:
            self._reserve.take_back()
        group.sync_seconds = time.perf_counter() - began

    def _write_once(self, group: _Group) -> None:
        if self._dirty:
            self._cut_back()
        if self._file < 0 or self._file_bytes + len(group.content) > FILE_BYTES_MAX:
            self._begin_file()
        try:
            _write_all(self._file, group.content)
            os.fdatasync(self._file)
        except OSError:
            # What was written of this group must not stay: its requests have failed.
            self._dirty = True
            with contextlib.suppress(OSError):
                self._cut_back()
            raise
        self._file_bytes += len(group.content)
        with self._giving_up:
            group.is_marked = not group.given_up
        if self._mark is not None and group.is_marked:
            with contextlib.suppress(OSError):  # then it lags, and says less than it could
                self._mark.write(group.end)

    def _alarm_full(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            self._loop.call_soon_threadsafe(self._on_failed, OSError(errno.ENOSPC, "reserve used"))

    def _begin_file(self) -> None:
        file = self._open(file_for(self._folder, self._end.sequence + 1))
        try:
            sync_folder(self._folder)  # the new name must survive as well
        except OSError:
            os.close(file)  # not used until its name is durable
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._file_bytes = file, 0

    def _cut_back(self) -> None:
        if self._file >= 0:
            os.ftruncate(self._file, self._file_bytes)
            os.fdatasync(self._file)
        self._dirty = False

    def _open(self, file: Path | None) -> int:
        if file is None:
            return -1
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
