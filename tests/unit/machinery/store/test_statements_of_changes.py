"""How many statements changes take together: those of one group share what they read."""

import itertools
import sqlite3
from contextlib import closing

import pytest

from kagimori.entities.tables import GRANTS, KMS_KEYS, MATERIALS, TABLES
from kagimori.machinery.store.database import Commit
from kagimori.machinery.store.guard import spaces_of
from kagimori.machinery.store.migrations import migrate
from kagimori.machinery.store.sqlite import SqliteDatabase
from kagimori.machinery.store.witness import Witness
from kagimori.ports import Expect, ExpectAtMost, Put
from kagimori.rules.integrity.marks import IntegrityKey
from kagimori.rules.keys.kms_key import KmsKey, Material
from kagimori.rules.keys.stored_grant import StoredGrant

TOGETHER = 16
EVENTS = itertools.count()
OF = {"account_id": "111122223333", "region": "us-east-1", "created_at": 1.0}
ALL = tuple(TABLES.values())


@pytest.fixture
def store(tmp_path):
    """An armed database, and the statements that it runs."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        database = SqliteDatabase(connection, "w0", ALL)
        database.arm(IntegrityKey(b"k" * 32), Witness(tmp_path / "witness", spaces_of(ALL)))
        database.commit_all((), (), marks=database.standing())
        statements = []
        connection.set_trace_callback(statements.append)
        yield database, statements


def key_of(number):
    return KmsKey(**OF, key_id=f"key-{number}", key_policy="{}")


def new_key(number):
    kms_key = key_of(number)
    material = Material(
        region=kms_key.region, material_id=f"m{number}", account_id=OF["account_id"], key_id="key"
    )
    together = (OF["account_id"], OF["region"], kms_key.key_manager)
    room = ExpectAtMost(KMS_KEYS, "by_manager", together, 100_000)
    return [Put(KMS_KEYS, kms_key), Put(MATERIALS, material), room]


def new_grant(number):
    kms_key = key_of("first")
    grant = StoredGrant(
        **OF,
        key_id=kms_key.key_id,
        grant_id=f"{number:064x}",
        grantee=f"arn:aws:iam::111122223333:user/u{number}",
        grantee_shown="",
        issuing_account=OF["account_id"],
        operations=("Encrypt",),
    )
    room = ExpectAtMost(GRANTS, "by_key", GRANTS.group_of("by_key", grant), 50_000)
    return [Expect(KMS_KEYS, kms_key), Put(GRANTS, grant), room]


def commit(database, changes):
    commits = [Commit(writes, f"event-{next(EVENTS)}", b"{}", 0) for writes in changes]
    database.commit_all(commits, ())
    assert [one.failure for one in commits] == [None] * len(commits)
    return commits


@pytest.mark.parametrize(("change", "most"), [(new_grant, 12), (new_key, 16)])
def test_a_change_among_others_takes_few_statements(store, change, most):
    database, statements = store
    commit(database, [[Put(KMS_KEYS, key_of("first"))]])
    commit(database, [change(1_000)])
    statements.clear()
    commit(database, [change(number) for number in range(TOGETHER)])
    assert len(statements) <= most * TOGETHER
    assert sum("FROM group_sizes" in one for one in statements) == 1


def test_a_size_that_was_read_is_right_after_a_commit_was_undone(store):
    database, _ = store
    commit(database, [[Put(KMS_KEYS, key_of("first"))]])
    commit(database, [new_grant(1)])
    expect, put, room = new_grant(2)
    full = ExpectAtMost(GRANTS, "by_key", room.values, 1)
    again, other, _ = new_grant(3)
    of_two = ExpectAtMost(GRANTS, "by_key", room.values, 2)
    commits = [
        Commit(writes, f"e{number}", b"{}", number)
        for number, writes in enumerate(
            ([expect, put, full], [again, other, of_two], [expect, put, of_two])
        )
    ]
    database.commit_all(commits, ())
    assert [one.failure is None for one in commits] == [False, True, False]
    assert database.count(GRANTS, "by_key", room.values) == 2
