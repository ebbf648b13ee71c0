"""Pages of a search through the journals, forwards or backwards, each of bounded work.

All streams are read at once, the event that comes first in time taken first. A page ends when it
is full, or when so much has been read for it that the next one goes on.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final

from kagimori.rules.chain.chain import BrokenLine, read_line
from kagimori.rules.chain.groups import unmarked
from kagimori.rules.records.entry import Entry
from kagimori.rules.records.event_search import EventPage, EventSearch, Place, Places
from kagimori.trail.files import journal_files
from kagimori.trail.reader import LINE_BYTES_MAX, stream_folders
from kagimori.trail.search import SLACK_SECONDS, first_time

READ_BYTES_MAX: Final = 32 * 1024 * 1024  # for one page
PIECE_BYTES: Final = 256 * 1024
Event = tuple[Entry, bytes]


def page(
    audit: Path, search: EventSearch, places: Places, *, read_bytes_max: int = READ_BYTES_MAX
) -> EventPage:
    """Return the page that begins at these places.

    Raises:
        OSError: something cannot be read.
    """
    folders = {folder.name: folder for folder in stream_folders(audit)}
    # Every page begins with a piece of each stream, and must come further than that.
    budget = _Budget(max(read_bytes_max, 2 * PIECE_BYTES * len(folders)))
    if search.at_end:
        ends = {name: _end_of(folder) for name, folder in folders.items()}
        return EventPage((), {name: end for name, end in ends.items() if end}, is_end=True)
    kind = _Backwards if search.newest_first else _Forwards
    cursors = [
        kind(folder, search, places.get(name), budget) for name, folder in sorted(folders.items())
    ]
    found: list[Event] = []
    try:
        while len(found) < search.limit:
            heads = [cursor for cursor in cursors if cursor.head() is not None]
            if not heads:
                return EventPage(tuple(found), _places(cursors), is_end=True)
            times = [_time(cursor) for cursor in heads]
            first = max(times) if search.newest_first else min(times)
            found.append(heads[times.index(first)].take())
    except _Spent:
        pass
    return EventPage(tuple(found), _places(cursors), is_end=False)


def _time(cursor: "_Cursor") -> str:
    head = cursor.head()
    return "" if head is None else head[0].event_time


def _places(cursors: Sequence["_Cursor"]) -> dict[str, Place]:
    return {cursor.stream: cursor.place for cursor in cursors if cursor.place is not None}


def _end_of(folder: Path) -> Place | None:
    files = journal_files(folder)
    return (files[-1].name, files[-1].stat().st_size) if files else None


class _Spent(Exception):
    """So much was read for this page."""


class _Budget:
    def __init__(self, read_bytes_max: int) -> None:
        self._left = read_bytes_max

    def check(self) -> None:
        """Return if more may be read.

        Raises:
            _Spent: it may not.
        """
        if self._left <= 0:
            raise _Spent

    def spend(self, read: int) -> None:
        self._left -= read


class _Cursor(ABC):
    """One stream as it is read; `place` is up to where everything was taken or is not wanted."""

    def __init__(
        self, folder: Path, search: EventSearch, place: Place | None, budget: _Budget
    ) -> None:
        self.stream = folder.name
        self.place = place
        self._folder, self._search, self._budget = folder, search, budget
        self._needles = search.needles()
        self._head: tuple[Event, Place] | None = None
        self._events = self._read()
        self._is_over = False

    def head(self) -> Event | None:
        """Return the next event, None at the end.

        Raises:
            _Spent: it was not found within the budget.
        """
        if self._head is None and not self._is_over:
            self._head = next(self._events, None)
            self._is_over = self._head is None
        return None if self._head is None else self._head[0]

    def take(self) -> Event:
        """Return the event that `head` showed, and go on after it."""
        if self._head is None:
            raise LookupError(self.stream)
        event, self.place = self._head
        self._head = None
        return event

    def _read(self) -> Iterator[tuple[Event, Place]]:
        for file, lines in self._files():
            for line, beyond in lines:
                event = self._event_in(line)
                if event is None:
                    self.place = (file.name, beyond)
                else:
                    yield event, (file.name, beyond)

    def _event_in(self, line: bytes) -> Event | None:
        if not all(needle in line for needle in self._needles):
            return None
        try:
            return self._search.seen(unmarked(read_line(line)[2]))
        except BrokenLine:
            return None

    @abstractmethod
    def _files(self) -> Iterator[tuple[Path, Iterator[tuple[bytes, int]]]]:
        """Yield files with their lines, each line with the place beyond it."""

    def _begins_before(self, file: Path, at: float | None) -> bool:
        begins = None if at is None else first_time(file)
        return at is not None and begins is not None and begins < at - SLACK_SECONDS

    def _begins_after(self, file: Path, at: float | None) -> bool:
        begins = None if at is None else first_time(file)
        return at is not None and begins is not None and begins > at + SLACK_SECONDS


class _Forwards(_Cursor):
    def _files(self) -> Iterator[tuple[Path, Iterator[tuple[bytes, int]]]]:
        name, offset = self.place or ("", 0)
        wanted = self._search.wanted
        files = [file for file in journal_files(self._folder) if file.name >= name]
        for file, following in zip_longest(files, files[1:]):
            if following is not None and self._begins_before(following, wanted.since):
                continue  # all of this file is older
            if self._begins_after(file, wanted.until):
                return
            yield file, self._lines(file, offset if file.name == name else 0)

    def _lines(self, file: Path, offset: int) -> Iterator[tuple[bytes, int]]:
        with file.open("rb", buffering=0) as content:
            content.seek(offset)
            rest = b""
            while len(rest) <= LINE_BYTES_MAX:  # a longer line is none of ours
                self._budget.check()
                read = content.read(PIECE_BYTES)
                if not read:
                    return  # what is left has no end yet
                self._budget.spend(len(read))
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    offset += len(line) + 1
                    yield line, offset


class _Backwards(_Cursor):
    def _files(self) -> Iterator[tuple[Path, Iterator[tuple[bytes, int]]]]:
        name, offset = self.place or ("~", 0)
        wanted = self._search.wanted
        for file in reversed(journal_files(self._folder)):
            if file.name > name or self._begins_after(file, wanted.until):
                continue
            end = file.stat().st_size
            yield file, self._lines(file, min(end, offset) if file.name == name else end)
            if self._begins_before(file, wanted.since):
                return  # all that is left is older

    def _lines(self, file: Path, end: int) -> Iterator[tuple[bytes, int]]:
        with file.open("rb", buffering=0) as content:
            rest = b""
            while end > 0 and len(rest) <= LINE_BYTES_MAX:
                self._budget.check()
                size = min(PIECE_BYTES, end)
                end -= size
                content.seek(end)
                read = content.read(size)
                self._budget.spend(size)
                first, *lines = (read + rest).split(b"\n")
                # What follows the last line break is nothing, or a line in the writing.
                whole = lines[:-1]
                position = end + len(first) + 1 + sum(len(line) + 1 for line in whole)
                for line in reversed(whole):
                    position -= len(line) + 1
                    yield line, position
                rest = first + b"\n" if lines else first
            if end == 0 and rest.endswith(b"\n"):
                yield rest[:-1], 0
