"""A PostgreSQL database, or another engine that speaks its protocol."""

from collections.abc import Sequence
from typing import Final

from kagimori.machinery.store.postgres.database import PostgresDatabase
from kagimori.machinery.store.postgres.link import Link, PostgresFailed
from kagimori.machinery.store.postgres.place import read_place
from kagimori.machinery.store.postgres.schema import migrate, missing
from kagimori.ports import Table

_NAME_BYTES_MAX: Final = 63  # of an application, at the server


class PostgresEngine:
    """A database at a URL. Its text shows no secret."""

    errors: tuple[type[Exception], ...] = (PostgresFailed,)

    def __init__(self, url: str) -> None:
        """Read the URL.

        Raises:
            BadPlace: it says what it may not.
        """
        self.place = read_place(url)

    def __str__(self) -> str:
        return str(self.place)

    def open(
        self, stream: str, tables: Sequence[Table], *, read_only: bool = False
    ) -> PostgresDatabase:
        name = f"kagimori {stream}".strip()[:_NAME_BYTES_MAX]
        link = Link(self.place, name, read_only=read_only)
        try:
            if not read_only:
                migrate(link)
            elif missing(link):
                self.open("", tables).close()
        except BaseException:
            link.close()
            raise
        return PostgresDatabase(link, stream, tables)
