"""Somebody who can write to the database of a store, and has nothing else."""

import contextlib
import typing
from enum import Enum

import msgspec
import psycopg

from kagimori.machinery.store.sqlite import connect


def sample(table, number, **fields):
    """Return an entity of a table with all that it must have; others differ by their number."""
    given = {}
    for field in msgspec.structs.fields(table.entity):
        grouped = field.name in {name for names in table.groups.values() for name in names}
        needed = field.required or field.name in table.key or grouped
        if field.name in fields or not needed:
            continue
        given[field.name] = _value(field.type, f"{field.name}-{number}")
    return table.entity(**given, **fields)


def _value(kind, text):
    if typing.get_origin(kind) in {tuple, list, dict}:
        return typing.get_origin(kind)()
    kinds = typing.get_args(kind) or (kind,)
    if isinstance(kinds[0], type) and issubclass(kinds[0], Enum):
        return next(iter(kinds[0]))
    if str in kinds:
        return text
    if bytes in kinds:
        return text.encode()
    return 1 if float in kinds or int in kinds else {}


class Attacker:
    """Runs statements by a connection of its own; `?` marks the parameters."""

    def __init__(self, place):
        self._place = place

    def run(self, text, parameters=()):
        """Run one statement and return its rows, if it has any."""
        if isinstance(self._place, str):
            with contextlib.closing(psycopg.connect(self._place, autocommit=True)) as connection:
                done = connection.execute(text.replace("?", "%s"), parameters)
                return done.fetchall() if done.description else []
        with contextlib.closing(connect(self._place)) as connection:
            return connection.execute(text, parameters).fetchall()

    def rows(self, table):
        """Return all rows of a table with all their columns, and the columns' names."""
        if isinstance(self._place, str):
            text = (
                "SELECT column_name FROM information_schema.columns "
                "WHERE table_name = ? AND table_schema = current_schema()"
            )
            names = [name for (name,) in self.run(text, (table,))]
        else:
            names = [row[1] for row in self.run(f"PRAGMA table_info({table})")]
        return names, self.run(f"SELECT {', '.join(names)} FROM {table}")

    def put_back(self, table, names, rows):
        """Have a table hold these rows and no others."""
        self.run(f"DELETE FROM {table}")
        marks = ", ".join("?" * len(names))
        for row in rows:
            self.run(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", row)
