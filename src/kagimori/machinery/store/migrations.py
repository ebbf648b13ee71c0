"""Numbered, forward-only migrations; each is applied whole, in a transaction of its own."""

import base64
import re
import sqlite3
from importlib import resources
from typing import Final, Literal

SCHEMA: Final = "kagimori.machinery.store"
_USABLE_FROM: Final = re.compile(r"^-- usable from ([0-9]{1,9})$", re.MULTILINE)


class NewerSchema(Exception):
    """The store was made by a newer version than this one."""


def migrations(dialect: Literal["sqlite", "postgres"] = "sqlite") -> list[tuple[int, str]]:
    """Return number and SQL text of every migration, in order."""
    folder = resources.files(SCHEMA) / "schema" / dialect
    found = [
        (int(file.name.split("_", 1)[0]), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(found)


def usable_from(number: int, text: str) -> int:
    """Return the oldest schema whose code may still use the store after a migration.

    One that only adds says so: `-- usable from 14`. Without that, no older code may.
    """
    found = _USABLE_FROM.search(text)
    return number if found is None else int(found[1])


def schema_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_current(connection: sqlite3.Connection) -> bool:
    """Return whether the schema is the newest that this version knows."""
    return schema_version(connection) == migrations()[-1][0]


def migrate(connection: sqlite3.Connection, to: int | None = None) -> None:
    """Bring the schema to the newest version, or `to` an older one.

    Raises:
        NewerSchema: it is beyond what this version knows; nothing was touched.
    """
    known = [(number, text) for number, text in migrations() if to is None or number <= to]
    at = schema_version(connection)
    if at > known[-1][0]:
        raise NewerSchema(f"schema {at}; this version knows {known[-1][0]}")
    # What was a fact of its own goes into an entity, whose bytes are base64 as JSON has them.
    connection.create_function("base64", 1, _base64, deterministic=True)
    for number, text in known:
        if number > at:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;"
            )


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
