"""The engine for a place: a file, or the URL of a server."""

from pathlib import Path
from typing import Final

from kagimori.machinery.store.database import Engine
from kagimori.machinery.store.sqlite import SqliteEngine

POSTGRES: Final = ("postgresql", "postgres")
_FILE: Final = "sqlite"


class UnknownEngine(Exception):
    """A reason why a URL is of no store that can be used, as one line for people."""


def engine_of(place: str | Path) -> Engine:
    """Return the engine for a file, a URL that begins with `sqlite:`, or one of PostgreSQL.

    Raises:
        UnknownEngine: the URL is of another kind, or says something that it may not.
    """
    text = str(place)
    scheme, colon, rest = text.partition(":")
    if not colon or "/" in scheme or (scheme not in (_FILE, *POSTGRES) and "://" not in text):
        return SqliteEngine(Path(text))
    if scheme == _FILE:
        return SqliteEngine(Path(rest.removeprefix("//")))
    if scheme in POSTGRES:
        # Its driver takes a while to load, which those who do not need it do not wait for.
        from kagimori.machinery.store.postgres.engine import PostgresEngine  # noqa: PLC0415
        from kagimori.machinery.store.postgres.place import BadPlace  # noqa: PLC0415

        try:
            return PostgresEngine(text)
        except BadPlace as reason:
            raise UnknownEngine(str(reason)) from None
    raise UnknownEngine(f"{scheme} is no kind of store that this version has")
