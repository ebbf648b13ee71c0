"""The store's files, kept in being: while somebody has it open, SQLite takes none of them away."""

from contextlib import ExitStack
from pathlib import Path

from kagimori.machinery.store.engines import files_to_connect, is_server
from kagimori.machinery.store.sqlite import connect


class HeldOpen:
    """Holds a store open without using it; `files` are all that it consists of by then.

    A store in a server has none here; `readable` are the files that connecting to it takes.
    """

    def __init__(self, place: str | Path) -> None:
        self.files: list[Path] = []
        self.readable: list[Path] = []
        if is_server(place):
            self.readable = files_to_connect(place)
            return
        database = Path(place)
        self._connection = connect(database)
        with ExitStack() as unless_held:
            unless_held.callback(self._connection.close)
            self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            unless_held.pop_all()
        self.files = [database.with_name(database.name + end) for end in ("", "-wal", "-shm")]
