"""SQL statements for one table, made from its declaration; columns are always named."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from kagimori.ports import Key, Table, values_of


class Statements:
    """SQL text and parameters for the entities of one table; each `?` marks a parameter.

    With `names_index` a group is read by its index, which has the table's name and its own: an
    engine that has no statistics may take a key for cheaper, and look at all that share part of it.
    """

    def __init__(
        self, table: Table, *, contains: str = "instr(body, ?)", names_index: bool = True
    ) -> None:
        self.table = table
        self._names_index = names_index
        self._contains = contains
        self.encode: Final = msgspec.json.Encoder().encode
        self.decode: Final = msgspec.json.Decoder(table.entity).decode
        extra = {field for fields in table.groups.values() for field in fields} - set(table.key)
        due = ("due_at",) if table.has_due else ()
        self._columns = (*table.key, *sorted(extra), *due)
        # Returns the columns by which an entity is found.
        self.columns: Final = values_of(self._columns)
        self._is_this = " AND ".join(f"{column} = ?" for column in table.key)
        names = ", ".join((*self._columns, "version", "body"))
        marks = ", ".join("?" * (len(self._columns) + 2))
        sets = ", ".join(f"{column} = ?" for column in (*self._columns, "version", "body"))
        rest = [name for name in (*self._columns, "version", "body") if name not in table.key]
        newer = ", ".join(f"{column} = excluded.{column}" for column in rest)
        # Names come from our own declarations, never from a request.
        self.insert = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608
        key = ", ".join(table.key)
        self.keep = f"{self.insert} ON CONFLICT ({key}) DO UPDATE SET {newer}"
        if table.is_noted:  # several workers note the same: the newest stays
            self.keep += f" WHERE {table.name}.version <= excluded.version"
        self.update = f"UPDATE {table.name} SET {sets} WHERE {self._is_this} AND version = ?"  # noqa: S608
        self.delete = f"DELETE FROM {table.name} WHERE {self._is_this} AND version = ?"  # noqa: S608
        self.expect = f"SELECT body FROM {table.name} WHERE {self._is_this} AND version = ?"  # noqa: S608
        # A version does not name an entity: one that was deleted and made again has it once more.
        self.and_body: Final = " AND body = ?"
        self.newest = (
            f"SELECT max(version) FROM {table.name} "  # noqa: S608
            f"WHERE {table.key[0]} >= ? AND {table.key[0]} < ?"
        )
        self.select = f"SELECT body FROM {table.name} WHERE {self._is_this}"  # noqa: S608
        # A row is selected whole with its key, its version and its body.
        self._whole = f"{key}, version, body"
        self.select_row = f"SELECT version, body FROM {table.name} WHERE {self._is_this}"  # noqa: S608
        columns_text = ", ".join(self._columns)
        self.select_columns = f"SELECT {columns_text} FROM {table.name} WHERE {self._is_this}"  # noqa: S608

    def row(self, entity: Any, body: bytes | None = None) -> tuple[Any, ...]:
        """Return the values of a row; `body` is the entity encoded, where that is known."""
        encoded = self.encode(entity) if body is None else body
        return (*self.columns(entity), entity.version, encoded)

    def this(self, entity: Any) -> tuple[Any, ...]:
        return (*self.table.key_of(entity), entity.version)

    def count(self, values: Key, group: str, most: int | None = None) -> tuple[str, Key]:
        """Return the statement that counts a group, up to `most` and one more."""
        conditions = " AND ".join(f"{field} = ?" for field in self.table.groups[group])
        source = self._source(group)
        if most is None:
            return f"SELECT count(*) FROM {source} WHERE {conditions}", values  # noqa: S608
        few = f"SELECT 1 FROM {source} WHERE {conditions} LIMIT {most + 1}"  # noqa: S608
        return f"SELECT count(*) FROM ({few}) AS few", values  # noqa: S608

    @property
    def due(self) -> str:
        return (
            f"SELECT {self._whole} FROM {self.table.name} WHERE due_at <= ? "  # noqa: S608
            "ORDER BY due_at LIMIT ?"
        )

    def search(self, texts: Sequence[bytes], after: Key | None, rows: int) -> tuple[str, Any]:
        """Return the statement for bodies that hold one of the texts, and its parameters.

        Each row of so many after `after` comes, with its key, and without a body if it holds none.
        """
        key = ", ".join(self.table.key)
        found = " OR ".join(self._contains for _ in texts) or "1 = 0"
        text = f"SELECT {key}, CASE WHEN {found} THEN body END FROM {self.table.name}"  # noqa: S608
        if after is not None:
            text += f" WHERE ({key}) > ({', '.join('?' * len(after))})"
        return f"{text} ORDER BY {key} LIMIT ?", (*texts, *(after or ()), rows)

    def page(
        self, prefix: Key, after: Key | None, limit: int | None, group: str | None
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the statement for a page of whole rows in key order, and its parameters.

        `after` is a whole key, or what of it the prefix does not say.
        """
        fields = self.table.groups[group] if group else self.table.key[: len(prefix)]
        conditions = [f"{field} = ?" for field in fields]
        parameters: list[Any] = list(prefix)
        order = [field for field in self.table.key if field not in fields]
        if after is not None and order:
            rest = after
            if len(after) == len(self.table.key):
                rest = tuple(after[self.table.key.index(field)] for field in order)
            marks = ", ".join("?" * len(order))
            conditions.append(f"({', '.join(order)}) > ({marks})")
            parameters += rest
        text = f"SELECT {self._whole} FROM {self._source(group)}"  # noqa: S608
        if conditions:
            text += " WHERE " + " AND ".join(conditions)
        if order:
            text += " ORDER BY " + ", ".join(order)
        if limit is not None:
            text += " LIMIT ?"
            parameters.append(limit)
        return text, tuple(parameters)

    def _source(self, group: str | None) -> str:
        """Return the table, with the index of a group if it has one of its own."""
        table = self.table
        if group is None or not self._names_index:
            return table.name
        fields = table.groups[group]
        if fields == table.key[: len(fields)] or group in table.counted:
            return table.name  # by its key; or it is never read
        return f"{table.name} INDEXED BY {table.name}_{group}"
