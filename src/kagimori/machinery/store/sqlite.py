"""The embedded database: SQLite in WAL mode, `synchronous=FULL`."""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal

from kagimori.machinery.store.database import Commit, Cursor
from kagimori.machinery.store.migrations import is_current, migrate
from kagimori.machinery.store.sql_database import SqlDatabase, destroys
from kagimori.ports import Table, Write

BUSY_SECONDS: Final = 5.0


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection in autocommit mode, usable from the thread that is given it."""
    mode: Literal["ro", "rwc"] = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"file:{_quoted(path)}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    with ExitStack() as unless_opened:
        unless_opened.callback(connection.close)
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            # What is deleted is overwritten: a destroyed key's token must not linger in free pages.
            connection.execute("PRAGMA secure_delete = ON")
        # INVARIANT(acknowledged-is-durable): each commit is on disk before it is acknowledged.
        connection.execute("PRAGMA synchronous = FULL")
        # No file outside the folder: workers may write nowhere else (server/confinement.py), and
        # what SQLite puts aside while it writes would be refused there.
        connection.execute("PRAGMA temp_store = MEMORY")
        unless_opened.pop_all()
    return connection


def open_database(path: Path) -> sqlite3.Connection:
    """Return a writing connection to a database of the newest schema."""
    connection = connect(path)
    with ExitStack() as unless_opened:
        unless_opened.callback(connection.close)
        migrate(connection)
        unless_opened.pop_all()
    return connection


class SqliteDatabase(SqlDatabase):
    """SQL over one connection; every method blocks, and belongs on a thread."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    conflicts = (sqlite3.IntegrityError,)

    def __init__(
        self, connection: sqlite3.Connection, stream: str, tables: Sequence[Table]
    ) -> None:
        super().__init__(stream, tables)
        self._connection = connection

    def take_stream(self) -> None:
        """Do nothing: what a process had begun ended with it."""

    def await_change(self, seconds: float) -> None:
        time.sleep(seconds)

    def announce_change(self) -> None:
        """Do nothing: a file is of one node, whose workers signal each other."""

    def hold_still(self) -> None:
        self._execute("BEGIN")

    def check(self, bytes_max: int) -> str | None:
        (pages,) = self._execute("PRAGMA page_count").fetchone()
        (size,) = self._execute("PRAGMA page_size").fetchone()
        if pages * size > bytes_max:
            return None
        verdict = str(self._execute("PRAGMA quick_check(1)").fetchone()[0])
        return None if verdict == "ok" else verdict

    def commit_all(
        self,
        commits: Sequence[Commit],
        released: Sequence[str],
        noted: Sequence[tuple[Table, Any]] = (),
        *,
        probe: bool = False,
        together: bool = False,
        marks: Sequence[str] = (),
        decided: Sequence[Write] = (),
    ) -> None:
        super().commit_all(
            commits, released, noted, probe=probe, together=together, marks=marks, decided=decided
        )
        if destroys(commits):
            # The log of old pages is emptied into the database, so that nothing lingers there.
            self._execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def others_version(self) -> int | None:
        return int(self._execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        self._connection.close()

    def run_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(text, rows)

    def _outdated(self, text: str, parameters: Sequence[Any]) -> None:
        """Do nothing: no statement is asked before its time."""

    def _run_all(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(text, rows)

    def _execute(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        return self._connection.execute(text, parameters)

    def _begin(self) -> None:
        self._execute("BEGIN IMMEDIATE")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._execute("ROLLBACK")


class SqliteEngine:
    """A database file."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def open(
        self, stream: str, tables: Sequence[Table], *, read_only: bool = False
    ) -> SqliteDatabase:
        connection = self._read_only() if read_only else open_database(self._path)
        return SqliteDatabase(connection, stream, tables)

    def _read_only(self) -> sqlite3.Connection:
        connection = connect(self._path, read_only=True)
        with ExitStack() as unless_current:
            unless_current.callback(connection.close)
            if is_current(connection):
                unless_current.pop_all()
                return connection
        open_database(self._path).close()
        return connect(self._path, read_only=True)


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
