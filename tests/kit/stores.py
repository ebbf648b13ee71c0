"""What tests do to the database of a store, whichever engine it is."""

import contextlib

import psycopg

_FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE UPDATE ON feeds EXECUTE FUNCTION full_disk()
"""


def fill(store, place):
    """Leave a store no room for changes; return a function that gives it back."""
    if isinstance(place, str):
        with contextlib.closing(psycopg.connect(place, autocommit=True)) as connection:
            connection.execute(_FULL)
        return lambda: _give_back(place)
    connection = store._writer._connection
    used = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {used}")
    return lambda: connection.execute("PRAGMA max_page_count = 1000000")


def _give_back(place):
    with contextlib.closing(psycopg.connect(place, autocommit=True)) as connection:
        connection.execute("DROP TRIGGER full_disk ON feeds; DROP FUNCTION full_disk")


def is_in_transaction(database):
    """Return whether a database has a transaction open."""
    link = getattr(database, "_link", None)
    return database._connection.in_transaction if link is None else link.in_transaction
