"""The store's files, kept in being: while somebody has it open, SQLite takes none of them away."""

from pathlib import Path

from kagimori.machinery.store.sqlite import connect


class HeldOpen:
    """Holds a store open without using it; `files` are all that it consists of by then."""

    def __init__(self, database: Path) -> None:
        self._connection = connect(database)
        self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        self.files = [database.with_name(database.name + end) for end in ("", "-wal", "-shm")]
