"""Source of all followers: the streams that the deployment knows, each as far as it is durable.

One reader's lines are kept a while for the others, so that each record is read and decoded once,
however many follow; who falls far behind reads again.
"""

import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kagimori.trail.mark import read_mark
from kagimori.trail.reader import stream_folders
from kagimori.trail.tail import Lines, Place, StreamTail

SHARED_BYTES_MAX: Final = 8 * 1024 * 1024
_NOTHING: Final[frozenset[str]] = frozenset()


class SharedLines:
    """The lines that were read last; for all threads. Memory is bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[str, Lines, int]] = deque()
        self._bytes = 0

    def find(self, stream: str, place: Place) -> Lines | None:
        """Return lines that begin at a place; None if they are not kept."""
        with self._lock:
            kept = [
                (lines, end)
                for name, lines, end in self._kept
                if name == stream and lines.file == place.file
            ]
        for lines, end in kept:
            if lines.offset == place.offset:
                return lines
            if lines.offset < place.offset < end:
                return lines.after(place.offset)
        return None

    def keep(self, stream: str, lines: Lines) -> None:
        end = lines.end
        with self._lock:
            self._kept.append((stream, lines, end))
            self._bytes += end - lines.offset
            while self._bytes > SHARED_BYTES_MAX and len(self._kept) > 1:
                _, oldest, oldest_end = self._kept.popleft()
                self._bytes -= oldest_end - oldest.offset


class Source:
    """The streams of one audit folder; all of them if `known` is None.

    `marks` is the folder of the synced marks: of a stream that has none, all is read.
    """

    def __init__(
        self,
        audit: Path,
        known: Mapping[str, bool] | None = None,
        marks: Path | None = None,
    ) -> None:
        self.audit = audit
        self._known, self._marks = known, marks
        self._shared = SharedLines()
        self._elsewhere: Mapping[str, frozenset[str]] = {}

    def leave_out(self, elsewhere: Mapping[str, frozenset[str]]) -> None:
        """Do not count records in these streams that other nodes have put into theirs."""
        self._elsewhere = elsewhere

    def know(self, streams: Mapping[str, bool]) -> None:
        """Follow these streams from now on: nodes that share the store begin new ones."""
        self._known = streams

    def folders(self) -> list[Path]:
        """Return the folders of the streams that count.

        Raises:
            OSError: the audit folder cannot be read.
        """
        folders = stream_folders(self.audit)
        known = self._known
        return folders if known is None else [one for one in folders if one.name in known]

    def strangers(self) -> list[str]:
        """Return the names of folders that look like streams and that the deployment does not know.

        Raises:
            OSError: the audit folder cannot be read.
        """
        known = self._known
        names = [folder.name for folder in stream_folders(self.audit)]
        return [] if known is None else [name for name in names if name not in known]

    def ends(self) -> dict[str, int]:
        """Return up to which record streams may be read; all of those that are not named.

        Raises:
            OSError: a mark cannot be read.
        """
        if self._marks is None:
            return {}
        marks = {folder.name: read_mark(self._marks / folder.name) for folder in self.folders()}
        return {stream: mark.sequence for stream, mark in marks.items() if mark is not None}

    def tail(
        self, folder: Path, place: Place | None = None, *, hashes_files: bool = False
    ) -> StreamTail:
        return StreamTail(
            folder,
            place,
            hashes_files=hashes_files,
            shared=self._shared,
            elsewhere=lambda: self._elsewhere.get(folder.name, _NOTHING),
        )
