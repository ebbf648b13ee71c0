"""The schema is the same in both dialects: tables, columns, keys, and indexes."""

import contextlib
import re
import sqlite3

import psycopg

from kagimori.entities.tables import TABLES
from kagimori.machinery.store.migrations import migrate, migrations

TYPES = {"TEXT": "text", "INTEGER": "bigint", "REAL": "double precision", "BLOB": "bytea"}
# SQLite keeps facts in a column that takes anything; they are texts.
DIFFERENT = {("deployment", "value"): "text"}
COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    coalesce((SELECT collname FROM pg_collation WHERE oid = a.attcollation), '')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0
    AND c.relname <> 'schema_versions' AND NOT a.attisdropped
"""
INDEXES = """
SELECT tablename, indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'schema_versions'
"""


def of_sqlite():
    """Columns with type and whether they must be there, and indexes with their columns."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        columns, indexes = {}, set()
        for (table,) in tables:
            key = []
            for _, name, kind, needed, _, place in connection.execute(
                f"PRAGMA table_info({table})"
            ):
                columns[table, name] = (DIFFERENT.get((table, name), TYPES[kind]), bool(needed))
                key += [(place, name)] if place else []
            indexes.add(
                (table, f"{table}_pkey", tuple(name for _, name in sorted(key)), True, False)
            )
            listed = connection.execute(f"PRAGMA index_list({table})").fetchall()
            for _, name, unique, origin, partial in listed:
                if origin == "c":
                    found = connection.execute(f"PRAGMA index_info({name})").fetchall()
                    names = tuple(column for _, _, column in found)
                    indexes.add((table, name, names, bool(unique), bool(partial)))
    return columns, indexes


def of_postgres(databases):
    with (
        databases.lent() as url,
        contextlib.closing(psycopg.connect(url, autocommit=True)) as connection,
    ):
        columns = connection.execute(COLUMNS).fetchall()
        indexes = connection.execute(INDEXES).fetchall()
    return columns, indexes


def test_both_dialects_have_the_same_tables_columns_and_indexes(databases):
    wanted_columns, wanted_indexes = of_sqlite()
    columns, indexes = of_postgres(databases)
    assert {(table, name): (kind, needed) for table, name, kind, needed, _ in columns} == (
        wanted_columns
    )
    found = set()
    for table, name, text in indexes:
        (names,) = re.findall(r"USING btree \(([^)]*)\)", text)
        unique = text.startswith("CREATE UNIQUE")
        found.add((table, name, tuple(names.split(", ")), unique, " WHERE " in text))
    assert found == wanted_indexes


def test_texts_are_in_the_order_of_their_bytes_whatever_the_database_says(databases):
    columns, _ = of_postgres(databases)
    assert {order for *_, kind, _, order in columns if kind == "text"} == {"C"}


def test_every_table_of_entities_is_in_the_schema():
    columns, _ = of_sqlite()
    for table in TABLES.values():
        named = {name for owner, name in columns if owner == table.name}
        fields = {field for group in table.groups.values() for field in group}
        assert {*table.key, *fields, "version", "body"} <= named
        assert ("due_at" in named) == table.has_due


def test_migrations_from_14_on_have_one_number_in_both_dialects():
    ours = {
        dialect: {number for number, _ in migrations(dialect)} for dialect in ("sqlite", "postgres")
    }
    assert min(ours["postgres"]) >= 11
    assert {n for n in ours["sqlite"] if n >= 14} == {n for n in ours["postgres"] if n >= 14}
