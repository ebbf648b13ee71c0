"""The store as the command line opens it: facts, recorded commits, and errors for people."""

import inspect
import json

import pytest

from kagimori.entities.tables import ACCOUNTS, TABLES
from kagimori.machinery.store.admin import AdminStore, Change, StoreUnusable, open_store
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.database import Fact
from kagimori.machinery.store.engines import engine_of
from kagimori.machinery.store.migrations import migrate, migrations
from kagimori.machinery.store.sqlite import connect
from kagimori.ports import Delete, Put, StoreConflict
from kagimori.rules.identity.account import Account
from kagimori.rules.records.service_event import ServiceRecord

ALL = tuple(TABLES.values())


@pytest.fixture
def store(tmp_path, place):
    with open_store(place, ALL, writer="n-admin", signal=tmp_path / "run" / "changes") as opened:
        yield opened


def record(name):
    return ServiceRecord(name, json.dumps({"eventID": name}).encode())


def account(number):
    return Account(account_id=f"{number:012}", created_at=float(number))


def outbox(place):
    database = engine_of(place).open("", (), read_only=True)
    rows = database.outbox()
    database.close()
    return [row[0] for row in rows]


def test_no_commit_without_a_record(store):
    with pytest.raises(TypeError):
        store.commit([Put(ACCOUNTS, account(1))])
    with pytest.raises(TypeError):
        Change([Put(ACCOUNTS, account(1))])
    writing = [
        name
        for name, member in inspect.getmembers(AdminStore, inspect.isfunction)
        if not name.startswith("_")
    ]
    reading = {
        "arm",
        "check",
        "close",
        "count",
        "facts",
        "forget_witness",
        "group",
        "hold_still",
        "is_unmarked",
        "one",
        "outbox",
        "outbox_streams",
        "page",
        "standing",
    }
    assert set(writing) - reading == {
        "adopt_denials",
        "adopt_outbox",  # records themselves, after a restore
        "commit",
        "commit_together",
        "note_decided",  # as `note`, if nobody else has written meanwhile
        "note",  # of what nodes say of themselves, and of copies of records
    }


def test_a_change_and_its_record_lie_there_together_in_order(store, place):
    for number in range(1, 6):
        store.commit([Put(ACCOUNTS, account(number))], record(f"e{9 - number}"))
    assert [one.account_id[-1] for one in store.page(ACCOUNTS, (), None, None)] == list("12345")
    assert outbox(place) == ["e8", "e7", "e6", "e5", "e4"]


def test_changes_made_together_keep_their_order(store, place):
    changes = [Change([Put(ACCOUNTS, account(n))], record(f"e{9 - n}")) for n in (1, 2, 3)]
    store.commit_together(changes)
    assert outbox(place) == ["e8", "e7", "e6"]


def test_of_changes_made_together_one_conflict_undoes_all(store, place):
    store.commit([Put(ACCOUNTS, account(2))], record("first"))
    changes = [Change([Put(ACCOUNTS, account(n))], record(f"e{n}")) for n in (1, 2, 3)]
    with pytest.raises(StoreConflict):
        store.commit_together(changes)
    assert store.page(ACCOUNTS, (), None, None) == [account(2)]
    assert outbox(place) == ["first"]


def test_a_conflict_leaves_neither_change_nor_record(store, place):
    with pytest.raises(StoreConflict):
        store.commit([Delete(ACCOUNTS, account(1))], record("e1"))
    assert outbox(place) == []


def test_a_fact_is_set_once_and_replaced_from_what_it_was(store, place):
    store.commit([Fact("colour", "red")], record("e1"))
    with pytest.raises(StoreConflict):
        store.commit([Fact("colour", "blue")], record("e2"))
    with pytest.raises(StoreConflict):
        store.commit([Fact("colour", "blue", before="green")], record("e3"))
    store.commit([Fact("colour", "blue", before="red")], record("e4"))
    assert store.facts()["colour"] == "blue"
    assert outbox(place) == ["e1", "e4"]


def test_running_workers_are_told(store, tmp_path):
    store.commit([Fact("colour", "red")], record("e1"))
    signal = ChangeSignal(tmp_path / "run" / "changes")
    seen = signal.counts[:]
    store.commit([Fact("shape", "round")], record("e2"))
    assert signal.counts[:] != seen
    signal.close()


def test_held_still_it_does_not_change(store, place):
    with open_store(place, ALL) as other:
        other.hold_still()
        assert other.page(ACCOUNTS, (), None, None) == []
        store.commit([Put(ACCOUNTS, account(1))], record("e1"))
        assert other.page(ACCOUNTS, (), None, None) == []
        assert other.one(ACCOUNTS, ("000000000001",)) is None
    assert store.one(ACCOUNTS, ("000000000001",)) == account(1)


def test_what_is_only_read_cannot_be_written(store, place):
    with (
        open_store(place, ALL) as other,
        pytest.raises(StoreUnusable, match="readonly"),
    ):
        other.commit([Put(ACCOUNTS, account(1))], record("e1"))


def test_an_older_store_is_brought_up_to_date_even_to_be_read(tmp_path):
    connection = connect(tmp_path / "x.db")
    migrate(connection, to=migrations()[-2][0])
    connection.close()
    with open_store(tmp_path / "x.db", ALL) as store:
        assert store.page(ACCOUNTS, (), None, None) == []


def test_the_oldest_account_of_an_older_store_operates_it(tmp_path):
    connection = connect(tmp_path / "x.db")
    migrate(connection, to=5)
    for number, at in (("111111111111", 20.5), ("999999999999", 10.5)):
        body = json.dumps({"account_id": number, "created_at": at}).encode()
        connection.execute("INSERT INTO accounts VALUES (?, 1, ?)", (number, body))
    connection.close()
    with open_store(tmp_path / "x.db", ALL) as store:
        assert json.loads(store.facts()["operator_account_id"]) == "999999999999"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("mysql://localhost/kagimori", "mysql is no kind of store"),
        ("postgresql:///kagimori?host=/nowhere", "(?i)no such file"),
        ("missing/x.db", "unable to open"),
    ],
)
def test_what_cannot_be_opened_says_why_in_a_line(tmp_path, place, said):
    there = place if "://" in place else tmp_path / place
    with pytest.raises(StoreUnusable, match=said) as found:
        open_store(there, ALL)
    assert "\n" not in str(found.value)


def test_a_corrupt_file_is_refused(tmp_path):
    (tmp_path / "x.db").write_bytes(b"This is a letter, and no database. " * 400)
    with pytest.raises(StoreUnusable, match="not a database"):
        open_store(tmp_path / "x.db", ALL)
