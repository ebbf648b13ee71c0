"""The engine for a place: a file, or the URL of a server."""

import os
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
    if is_server(place):
        # Its driver takes a while to load, which those who do not need it do not wait for.
        from kagimori.machinery.store.postgres.engine import PostgresEngine  # noqa: PLC0415
        from kagimori.machinery.store.postgres.place import BadPlace  # noqa: PLC0415

        try:
            return PostgresEngine(text)
        except BadPlace as reason:
            raise UnknownEngine(str(reason)) from None
    if not colon or "/" in scheme or (scheme not in (_FILE, *POSTGRES) and "://" not in text):
        return SqliteEngine(Path(text))
    if scheme == _FILE:
        return SqliteEngine(Path(rest.removeprefix("//")))
    raise UnknownEngine(f"{scheme} is no kind of store that this version has")


def is_server(place: str | Path) -> bool:
    """Return whether a place is a database in a server of its own."""
    return str(place).partition(":")[0] in POSTGRES and ":" in str(place)


def whole_url(url: str, password_file: Path | None = None) -> str:
    """Return the URL of a database in a server in full, whose files are named from the root on.

    Raises:
        UnknownEngine: it is no such URL, or says something that it may not.
    """
    if not is_server(url):
        raise UnknownEngine("the URL of a store begins with postgresql://")
    from kagimori.machinery.store.postgres.place import BadPlace, read_place  # noqa: PLC0415

    try:
        return read_place(url, password_file).url
    except BadPlace as reason:
        raise UnknownEngine(str(reason)) from None


def password_files(place: str | Path) -> list[Path]:
    """Return the files that hold secrets with which a store is connected to.

    Raises:
        UnknownEngine: the URL is none that can be used.
    """
    if not is_server(place):
        return []
    from kagimori.machinery.store.postgres.place import BadPlace, read_place  # noqa: PLC0415

    try:
        return read_place(str(place)).secrets
    except BadPlace as reason:
        raise UnknownEngine(str(reason)) from None


def files_to_connect(place: str | Path) -> list[Path]:
    """Return the files that a process may read in order to connect to a server.

    Raises:
        UnknownEngine: the URL is none that can be used.
    """
    from kagimori.machinery.store.postgres.place import BadPlace, read_place  # noqa: PLC0415

    try:
        named = read_place(str(place)).files
    except BadPlace as reason:
        raise UnknownEngine(str(reason)) from None
    home = Path("~").expanduser()
    known = [home / ".pgpass", home / ".postgresql", Path(os.environ.get("PGPASSFILE", ""))]
    return [file for file in (*named, *known) if file.is_absolute() and file.exists()]
