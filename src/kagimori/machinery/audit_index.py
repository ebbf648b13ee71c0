"""The index of the audit trail: finds events fast. Never the truth, and rebuilt when missing.

It holds what events are looked up by, and where in the journals each one lies; the event itself
is read from there. One thread writes it; workers read.
"""

import contextlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kagimori.machinery.audit_tail import EVERYTHING, Lines, Place, StreamTail
from kagimori.rules.audit.copies import owners_event_id
from kagimori.rules.audit.entry import Entry, decode_entry
from kagimori.rules.audit.times import epoch_of

INDEX_NAME: Final = "index.db"
WORDS_REMEMBERED_MAX: Final = 100_000
KEPT_SECONDS: Final = 90 * 86_400
_FORMAT: Final = 1
_SCHEMA: Final = f"""
BEGIN;
CREATE TABLE positions (
    stream TEXT PRIMARY KEY, file TEXT NOT NULL, offset INTEGER NOT NULL,
    sequence INTEGER NOT NULL, line_hash TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE words (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, short TEXT);
CREATE INDEX words_by_short ON words (short) WHERE short IS NOT NULL;
-- `scope` is account and region; `copied` tells the copy of a key's owner from the caller's own.
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, scope INTEGER NOT NULL, copied INTEGER NOT NULL,
    event_id TEXT NOT NULL, name INTEGER NOT NULL, source INTEGER NOT NULL,
    read_only INTEGER NOT NULL, user INTEGER NOT NULL, access_key INTEGER NOT NULL,
    resource_type INTEGER, file INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL
);
CREATE INDEX events_by_time ON events (scope, at);
CREATE INDEX events_by_name ON events (scope, name, at);
CREATE INDEX events_by_user ON events (scope, user, at);
CREATE INDEX events_by_access_key ON events (scope, access_key, at);
CREATE INDEX events_by_source ON events (scope, source, at);
CREATE INDEX events_that_write ON events (scope, at) WHERE read_only = 0;
CREATE INDEX events_by_id ON events (event_id);
CREATE TABLE resources (
    resource INTEGER NOT NULL, scope INTEGER NOT NULL, at INTEGER NOT NULL, event INTEGER NOT NULL,
    PRIMARY KEY (resource, scope, at, event)
) WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};
COMMIT;
"""
_ADD_EVENT: Final = (
    "INSERT INTO events (id, at, scope, copied, event_id, name, source, read_only, user, "
    "access_key, resource_type, file, offset, length) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


class AuditIndex:
    """The writing side. Belongs to one thread."""

    def __init__(self, audit: Path) -> None:
        """Open the index, or begin a new one if there is none that can be used."""
        self._audit = audit
        self._path = audit / INDEX_NAME
        self._connection = self._open()
        self._inode = self._path.stat().st_ino
        self._words: dict[str, int] = {}
        self._tails: dict[str, StreamTail] = {}
        self._next_id = 1 + (self._one("SELECT max(id) FROM events") or 0)

    @property
    def is_in_place(self) -> bool:
        """Whether the file still is the one we write to; somebody may have removed it."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def follow(self, folder: Path, up_to: int = EVERYTHING) -> int:
        """Take in what is new of a stream; return how many records that was.

        Raises:
            TrailBroken: the journal does not go on from where we were: start anew.
            OSError, sqlite3.Error: it cannot be read or written.
        """
        tail = self._tails.get(folder.name)
        if tail is None:
            tail = self._tails[folder.name] = StreamTail(folder, self._place_of(folder.name))
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
        execute("DELETE FROM resources WHERE at < ?", (int(at),))
        execute("DELETE FROM events WHERE at < ?", (int(at),))
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
        """Add the events of some lines, and the place after them, in one transaction."""
        execute = self._connection.execute
        execute("BEGIN")
        try:
            file = self._word(f"{stream}/{lines.file}")
            events: list[tuple[object, ...]] = []
            resources: list[tuple[int, int, int, int]] = []
            for _, offset, record in lines.records():
                spot = (file, offset, len(record))
                with contextlib.suppress(ValueError):  # nothing to find it by
                    self._add_entry(decode_entry(record), spot, events, resources)
            self._connection.executemany(_ADD_EVENT, events)
            self._connection.executemany(
                "INSERT OR IGNORE INTO resources VALUES (?,?,?,?)", resources
            )
            execute(
                "INSERT OR REPLACE INTO positions VALUES (?,?,?,?,?)",
                (stream, place.file, place.offset, place.sequence, place.line_hash),
            )
            execute("COMMIT")
        except BaseException:
            self._words.clear()
            self._tails.clear()
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def _add_entry(
        self,
        entry: Entry,
        spot: tuple[int, int, int],
        events: list[tuple[object, ...]],
        resources: list[tuple[int, int, int, int]],
    ) -> None:
        at, identity, word = epoch_of(entry.event_time), entry.user_identity, self._word
        accounts = [(entry.recipient_account_id, 0)] if entry.recipient_account_id else []
        accounts += [(owner, 1) for owner in entry.owners]
        of_event = entry.resources or ()
        kind = word(of_event[0].type) if of_event else None
        for account_id, copied in accounts:
            scope = word(f"{account_id}/{entry.aws_region}")
            number = self._next_id
            self._next_id += 1
            event_id = owners_event_id(entry.event_id, account_id) if copied else entry.event_id
            user = "" if copied else identity.shown_name
            access_key = "" if copied else identity.access_key_id
            events.append(
                (
                    *(number, at, scope, copied, event_id),
                    *(word(entry.event_name), word(entry.event_source), entry.read_only),
                    *(word(user), word(access_key), kind),
                    *spot,
                )
            )
            resources += [(word(found.arn), scope, at, number) for found in of_event]

    def _word(self, text: str) -> int:
        known = self._words.get(text)
        if known is not None:
            return known
        short = text.rpartition("/")[2] if text.startswith("arn:") else None
        execute = self._connection.execute
        execute("INSERT OR IGNORE INTO words (text, short) VALUES (?, ?)", (text, short))
        found = int(execute("SELECT id FROM words WHERE text = ?", (text,)).fetchone()[0])
        if len(self._words) >= WORDS_REMEMBERED_MAX:
            self._words.clear()
        self._words[text] = found
        return found

    def _one(self, query: str) -> int | None:
        found: int | None = self._connection.execute(query).fetchone()[0]
        return found


def remove_index(audit: Path) -> None:
    """Take the index away; a server that runs begins a new one."""
    for suffix in ("", "-wal", "-shm"):
        (audit / f"{INDEX_NAME}{suffix}").unlink(missing_ok=True)


def indexed_to(audit: Path) -> Mapping[str, int]:
    """Return the newest indexed sequence of each stream."""
    connection = sqlite3.connect(f"{(audit / INDEX_NAME).absolute().as_uri()}?mode=ro", uri=True)
    try:
        return dict(connection.execute("SELECT stream, sequence FROM positions"))
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    path.chmod(0o600)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -16384")
    return connection
