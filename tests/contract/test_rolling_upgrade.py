"""Two versions of the code on one store: the next schema beside the present one.

The next version is this one with a further migration; what it does to the store is real.
"""

import json
import time

import pytest

from kagimori.entities.tables import ACCOUNTS, TABLES
from kagimori.machinery.store.admin import StoreUnusable, open_store
from kagimori.machinery.store.migrations import migrations, usable_from
from kagimori.machinery.store.postgres import schema
from kagimori.ports import Put
from kagimori.rules.identity.account import Account
from kagimori.rules.records.service_event import journal_event

PRESENT = migrations("postgres")
NEWEST = max(number for number, _ in PRESENT)
ADDS = f"""-- Adds a table that the present version does not look at.
-- usable from {NEWEST}
CREATE TABLE of_the_next_version (name TEXT NOT NULL PRIMARY KEY);
ALTER TABLE accounts ADD COLUMN colour TEXT;
"""
CHANGES = "ALTER TABLE accounts RENAME COLUMN body TO contents;"


@pytest.fixture
def url(databases):
    place = databases.server.new_database()
    opened(place).close()
    return place


def opened(url, writer="aaaaaaaaaa-admin"):
    return open_store(url, tuple(TABLES.values()), writer=writer)


def upgraded(url, text, monkeypatch):
    """Open the store as the next version does, which has one more migration."""
    with monkeypatch.context() as next_version:
        next_version.setattr(schema, "migrations", lambda _: [*PRESENT, (NEWEST + 1, text)])
        return opened(url, "bbbbbbbbbb-admin")


def make_account(store, number):
    account = Account(account_id=f"{number:012}", created_at=1.0)
    record = journal_event(event_id=f"e{number}", now=1.0, name="n", region="us-east-1", details={})
    store.commit((Put(ACCOUNTS, account),), record)


def beats(url, schema_number, at=None):
    beat = {"node_id": "aaaaaaaaaa", "at": at or time.time(), "started_at": 1.0}
    beat |= {"schema": schema_number, "software": "0.0.9"}
    with psycopg_of(url) as connection:
        connection.execute(
            "INSERT INTO heartbeats (node_id, version, body) VALUES (%s, 1, %s)",
            (beat["node_id"], json.dumps(beat).encode()),
        )


def psycopg_of(url):
    import psycopg

    return psycopg.connect(url, autocommit=True)


def test_both_versions_work_on_a_store_whose_next_schema_only_adds(url, monkeypatch):
    with opened(url) as present, upgraded(url, ADDS, monkeypatch) as after:
        make_account(present, 1)
        make_account(after, 2)
        for store in (present, after):
            assert [one.account_id[-1] for one in store.page(ACCOUNTS, (), None, None)] == [
                "1",
                "2",
            ]
    with opened(url) as again:  # a present node that starts anew beside the next version
        make_account(again, 3)
        assert again.one(ACCOUNTS, ("000000000003",)) is not None


def test_code_that_could_not_use_the_next_schema_is_refused(url, monkeypatch):
    upgraded(url, CHANGES, monkeypatch).close()
    with pytest.raises(StoreUnusable, match="newer version"):
        opened(url)


def test_a_schema_is_not_changed_while_a_node_lives_that_could_not_use_it(url, monkeypatch):
    beats(url, NEWEST)
    with pytest.raises(StoreUnusable, match=r"node aaaaaaaaaa, which runs version 0\.0\.9"):
        upgraded(url, CHANGES, monkeypatch)
    with opened(url) as present:  # nothing was touched
        make_account(present, 1)
    upgraded(url, ADDS, monkeypatch).close()


def test_a_node_that_is_silent_for_long_holds_nobody_up(url, monkeypatch):
    beats(url, NEWEST, at=time.time() - 10 * schema.LIVES_SECONDS)
    upgraded(url, CHANGES, monkeypatch).close()


def test_a_migration_says_from_where_on_the_store_is_usable():
    assert usable_from(20, ADDS) == NEWEST
    assert usable_from(20, CHANGES) == 20
