"""Copies of a store between engines: every row arrives, and nothing goes where something is."""

import json

import pytest

from kagimori.entities.tables import ACCOUNTS, ALIASES, KMS_KEYS, TABLES
from kagimori.machinery.store import transfer
from kagimori.machinery.store.admin import StoreUnusable, open_store
from kagimori.machinery.store.copies import copy_between, copy_store
from kagimori.machinery.store.database import Fact
from kagimori.ports import Put
from kagimori.rules.identity.account import Account
from kagimori.rules.keys.kms_key import Alias, KmsKey
from kagimori.rules.records.service_event import ServiceRecord

ALL = tuple(TABLES.values())
OWNER = ("111122223333", "us-east-1")


def filled(place):
    """Fill a store with rows of several tables, more than are read at once."""
    keys = [
        KmsKey(
            account_id=OWNER[0],
            region=OWNER[1],
            key_id=f"{number:04}",
            created_at=number / 7,
            rotation_next_at=number / 3 if number % 2 else None,
            key_policy="{}",
            description="grün\u2028 ✓",
        )
        for number in range(23)
    ]
    names = [
        Alias(
            account_id=OWNER[0],
            region=OWNER[1],
            alias_name=f"alias/{name}",
            target_key_id="0001",
            created_at=1.0,
            updated_at=1.0,
        )
        for name in ("B", "a", "Z", "_", "-", "É")
    ]
    with open_store(place, ALL, writer="n-admin") as store:
        record = ServiceRecord("e", json.dumps({"eventID": "e"}).encode())
        writes = [Put(KMS_KEYS, key) for key in keys] + [Put(ALIASES, one) for one in names]
        store.commit(
            [
                Fact("colour", "red"),
                *writes,
                Put(ACCOUNTS, Account(account_id="1" * 12, created_at=1.5)),
            ],
            record,
        )
    return keys, names


@pytest.fixture
def other(place, tmp_path, databases):
    """An empty store of the other engine."""
    if isinstance(place, str):
        yield tmp_path / "other.db"
    else:
        with databases.lent() as url:
            yield url


def test_every_row_arrives_in_the_other_engine_and_back(place, other, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "ROWS_AT_ONCE", 5)
    keys, names = filled(place)
    there = copy_between(place, other)
    wanted = {"accounts": 1, "aliases": len(names), "deployment": 1, "outbox": 1}
    wanted["kms_keys"] = len(keys)
    assert wanted.items() <= {one.name: one.rows for one in there}.items()
    with open_store(other, ALL) as store:
        assert store.page(KMS_KEYS, (), None, None) == keys
        assert sorted(store.page(ALIASES, (), None, None), key=repr) == sorted(names, key=repr)
        assert store.facts() == {"colour": "red"}
        assert store.outbox_streams() == {"n-admin"}
    back = copy_between(other, tmp_path / "back.db")
    assert back == there
    assert (tmp_path / "back.db").stat().st_mode & 0o077 == 0


def test_nothing_goes_where_something_is(place, other):
    filled(place)
    copy_between(place, other)
    with open_store(other, ALL) as store:
        before = store.page(KMS_KEYS, (), None, None)
    with pytest.raises(StoreUnusable, match="is not empty"):
        copy_between(place, other)
    with open_store(other, ALL) as store:
        assert store.page(KMS_KEYS, (), None, None) == before


def test_a_target_that_does_not_keep_a_row_stays_empty(place, other, monkeypatch):
    filled(place)
    rows = transfer._rows
    reads = []

    def lossy(database, shape):
        reads.append(shape.name)
        found = list(rows(database, shape))
        is_second_look = reads.count(shape.name) == 2
        return [found[0][1:]] if is_second_look and shape.name == "aliases" else found

    monkeypatch.setattr(transfer, "_rows", lossy)
    with pytest.raises(StoreUnusable, match="did not keep the rows of aliases"):
        copy_between(place, other)
    monkeypatch.undo()
    with open_store(other, ALL) as store:
        assert store.page(KMS_KEYS, (), None, None) == []


def test_what_is_not_there_cannot_be_copied(tmp_path):
    with pytest.raises(StoreUnusable, match="unable to open"):
        copy_between(tmp_path / "none.db", tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()
    with pytest.raises(StoreUnusable, match="no kind of store"):
        copy_between("mysql://localhost/x", tmp_path / "new.db")


def test_a_backup_s_copy_is_of_one_moment(place, tmp_path, monkeypatch):
    """Somebody commits while the copy is being read."""
    keys, _ = filled(place)
    rows = transfer._rows

    def disturbed(database, shape):
        if shape.name == "aliases":
            with open_store(place, ALL, writer="n-admin") as store:
                store.commit((), ServiceRecord(f"f{len(done)}", b"{}"))
            done.append(shape.name)
        return rows(database, shape)

    done = []
    monkeypatch.setattr(transfer, "_rows", disturbed)
    copy_store(place, tmp_path / "copy.db")
    with open_store(tmp_path / "copy.db", ALL) as store:
        assert store.page(KMS_KEYS, (), None, None) == keys
        assert [row[0] for row in store._database.outbox()] == ["e"]
