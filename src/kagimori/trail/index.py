"""The index of the audit trail: finds events fast. Never the truth, and rebuilt when missing.

It is of blocks, not of events: for each stretch of a journal, which facets occur in it; and for
each facet, in which hours. A look-up reads the few blocks that can hold what it wants. So taking
a record in costs little more than decoding it, and the index is a small part of what it finds.
One thread writes it; workers read.
"""

import contextlib
import sqlite3
from hashlib import blake2b
from pathlib import Path
from typing import Final

from kagimori.rules.records.copies import copy_in_other_region
from kagimori.rules.records.entry import Entry, decode_entry
from kagimori.rules.records.facets import Facet, event_ids, facets
from kagimori.rules.records.times import epoch_of
from kagimori.trail.source import Source
from kagimori.trail.tail import EVERYTHING, Lines, Place, StreamTail

INDEX_NAME: Final = "index.db"
BLOCK_BYTES: Final = 512 * 1024
HOUR_SECONDS: Final = 3600
KEPT_SECONDS: Final = 90 * 86_400
REMEMBERED_MAX: Final = 50_000
FACET_BYTES: Final = 6
ID_BYTES: Final = 4  # of each event's id, for finding its block
# What is raised when the index cannot be read or written, for those who know no database.
IndexUnusable: Final = sqlite3.Error
_FORMAT: Final = 4
_SCHEMA: Final = f"""
BEGIN;
CREATE TABLE positions (
    stream TEXT PRIMARY KEY, file TEXT NOT NULL, offset INTEGER NOT NULL,
    sequence INTEGER NOT NULL, line_hash TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    sequence INTEGER NOT NULL, oldest INTEGER NOT NULL, newest INTEGER NOT NULL, ids BLOB NOT NULL,
    facets BLOB NOT NULL
);
CREATE INDEX blocks_by_time ON blocks (newest);
CREATE TABLE facets (
    facet BLOB NOT NULL, hour INTEGER NOT NULL, PRIMARY KEY (facet, hour)
) WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};
COMMIT;
"""


class AuditIndex:
    """The writing side. Belongs to one thread."""

    def __init__(self, audit: Path, source: Source | None = None) -> None:
        """Open the index, or begin a new one if there is none that can be used."""
        self._source = source or Source(audit)
        self._audit = audit
        self._path = audit / INDEX_NAME
        self._connection = self._open()
        with contextlib.ExitStack() as unless_opened:
            unless_opened.callback(self._connection.close)
            self._inode = self._path.stat().st_ino
            unless_opened.pop_all()
        self._tails: dict[str, StreamTail] = {}
        self._known: dict[tuple[object, ...], tuple[bytes, ...]] = {}
        self._hour, self._of_hour = -1, set[bytes]()  # what the table has of the newest hour
        self._hashes: dict[Facet, bytes] = {}
        self._next_id = 1 + (
            self._connection.execute("SELECT max(id) FROM blocks").fetchone()[0] or 0
        )

    @property
    def is_in_place(self) -> bool:
        """Return whether the file still is the one we write to; somebody may have removed it."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def follow(self, folder: Path, up_to: int = EVERYTHING) -> int:
        """Index new records of a stream; return their number.

        Raises:
            TrailBroken: the journal does not go on from where we were: start anew.
            OSError, IndexUnusable: it cannot be read or written.
        """
        tail = self._tails.get(folder.name)
        if tail is None:
            tail = self._tails[folder.name] = self._source.tail(folder, self._place_of(folder.name))
        if tail.place.sequence >= up_to:
            return 0
        count = 0
        for lines in tail.read(up_to):
            self._add(folder.name, lines, tail.place)
            count += len(lines.lines)
        return count

    def forget_before(self, at: float) -> None:
        """Drop events that are older than look-ups reach."""
        execute = self._connection.execute
        execute("BEGIN")
        execute("DELETE FROM facets WHERE hour < ?", (int(at) // HOUR_SECONDS,))
        execute("DELETE FROM blocks WHERE newest < ?", (int(at),))
        execute("COMMIT")

    def close(self) -> None:
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = _connect(self._path)
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] == _FORMAT:
                return connection
        except sqlite3.Error:
            pass
        connection.close()
        remove_index(self._audit)
        connection = _connect(self._path)
        connection.executescript(_SCHEMA)
        return connection

    def _place_of(self, stream: str) -> Place:
        row = self._connection.execute(
            "SELECT file, offset, sequence, line_hash FROM positions WHERE stream = ?", (stream,)
        ).fetchone()
        return Place() if row is None else Place(*row)

    def _add(self, stream: str, lines: Lines, place: Place) -> None:
        """Add the blocks of some lines, and the place after them, in one transaction."""
        execute = self._connection.execute
        execute("BEGIN")
        try:
            block = _Block(f"{stream}/{lines.file}", lines.offset, lines.first_sequence)
            for one in lines.decoded:
                if one.offset - block.offset > BLOCK_BYTES:
                    self._add_block(block, one.offset)
                    block = _Block(block.file, one.offset, one.sequence)
                if one.entry is None:
                    continue  # nothing to find it by
                try:
                    block.take(one.entry, self._facets_of(one.entry))
                    if one.entry.other_region:
                        copy = decode_entry(
                            copy_in_other_region(one.record, one.entry.other_region)
                        )
                        block.take(copy, self._facets_of(copy))
                except ValueError:
                    continue
            self._add_block(block, place.offset)
            execute(
                "INSERT OR REPLACE INTO positions VALUES (?,?,?,?,?)",
                (stream, place.file, place.offset, place.sequence, place.line_hash),
            )
            execute("COMMIT")
        except BaseException:
            self._tails.clear()
            self._hour = -1
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def _add_block(self, block: "_Block", end: int) -> None:
        if not block.ids:
            return
        number, self._next_id = self._next_id, self._next_id + 1
        oldest, newest = epoch_of(block.oldest), epoch_of(block.newest)
        ids = bytes.fromhex("".join(block.ids))
        self._connection.execute(
            "INSERT INTO blocks (id, file, offset, length, sequence, oldest, newest, ids, facets) "
            "VALUES (?,?,?,?,?,?,?,?,?)",
            (
                *(number, block.file, block.offset, end - block.offset, block.sequence),
                *(oldest, newest, ids, b"".join(block.facets)),
            ),
        )
        self._add_hour(newest // HOUR_SECONDS, block.facets)

    def _add_hour(self, hour: int, found: set[bytes]) -> None:
        if hour != self._hour or len(self._of_hour) > REMEMBERED_MAX:
            self._hour, self._of_hour = hour, set()
        rows = [(facet, hour) for facet in found - self._of_hour]
        self._connection.executemany("INSERT OR IGNORE INTO facets VALUES (?,?)", rows)
        self._of_hour |= found

    def _facets_of(self, entry: Entry) -> tuple[bytes, ...]:
        """Return the hashes of an event's facets; most events have those of one before them."""
        identity = entry.user_identity
        alike = (
            entry.recipient_account_id,
            entry.aws_region,
            entry.event_name,
            entry.event_source,
            entry.read_only,
            identity.shown_name,
            identity.access_key_id,
            entry.error_code == "AccessDenied",
            *(resource.arn for resource in entry.resources or ()),
        )
        known = self._known.get(alike)
        if known is None:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            hashes = self._hashes
            if len(hashes) >= REMEMBERED_MAX:
                hashes.clear()
            known = tuple([hashes.get(facet) or self._hash(facet) for facet in facets(entry)])
            self._known[alike] = known
        return known

    def _hash(self, facet: Facet) -> bytes:
        found = self._hashes[facet] = facet_hash(facet)
        return found


TIME_CHARACTERS: Final = len("2026-01-31T12:00:00Z")


class _Block:
    """A stretch of a journal's file, as it is taken in."""

    __slots__ = ("facets", "file", "ids", "newest", "offset", "oldest", "sequence")

    def __init__(self, file: str, offset: int, sequence: int) -> None:
        self.file, self.offset, self.sequence = file, offset, sequence
        self.facets: set[bytes] = set()
        self.ids: list[str] = []
        self.oldest, self.newest = "9", ""

    def take(self, entry: Entry, found: tuple[bytes, ...]) -> None:
        at = entry.event_time
        if len(at) != TIME_CHARACTERS:
            raise ValueError("not a time")
        self.facets.update(found)
        for event_id in event_ids(entry):
            self.ids.append(event_id[: 2 * ID_BYTES])
        self.newest = max(self.newest, at)
        self.oldest = min(self.oldest, at)


def facet_hash(facet: Facet) -> bytes:
    """Return a few bytes; two facets that share them cost a look-up some reading, nothing else."""
    return blake2b("\0".join(facet).encode(), digest_size=FACET_BYTES).digest()


def remove_index(audit: Path) -> None:
    """Take the index away; a server that runs begins a new one."""
    for suffix in ("", "-wal", "-shm"):
        (audit / f"{INDEX_NAME}{suffix}").unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    with contextlib.ExitStack() as unless_opened:
        unless_opened.callback(connection.close)
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        unless_opened.pop_all()
    return connection
