"""What every store must do: one suite for the port, whatever implements it."""

import asyncio
import contextlib
import itertools
import sqlite3

import psycopg
import pytest

from kagimori.entities.tables import ALIASES, GRANTS, KEY_USAGES, KMS_KEYS, TABLES
from kagimori.machinery.store import migrations, sqlite
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.engines import engine_of
from kagimori.machinery.store.migrations import NewerSchema
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.ports import Delete, Expect, ExpectAtMost, Put, StoreConflict, StoreFailed
from kagimori.rules.entity import changed
from kagimori.rules.keys.stored_grant import StoredGrant
from kagimori.rules.keys.usage_record import KeyUsageRecord
from kit.nouns import OWNER, alias, kms_key
from kit.stores import fill
from waiting import future_of, look


@pytest.fixture
def opened(place, tmp_path):
    """A function that opens the store; called again, it opens the same one a second time."""

    def open_store(stream="w0"):
        signal = ChangeSignal(tmp_path / "changes")
        return WorkerStore(place, signal, stream=stream, tables=tuple(TABLES.values()))

    open_store.place = place
    return open_store


EVENT_IDS = itertools.count()


def committed(store, *writes, event_id=None):
    event_id = event_id or f"event-{next(EVENT_IDS)}"
    return future_of(store.commit(writes, event_id, b'{"eventID":"e"}'))


def one(store, table, *key):
    return look(lambda: store.view.one(table, (*OWNER, *key)))


def on_loop(test):
    """Run an async test with a store that is closed at its end."""

    def run(opened):
        async def with_store():
            store = opened()
            try:
                await test(store, opened)
            finally:
                store.close()

        asyncio.run(with_store())

    run.__name__ = test.__name__
    return run


@on_loop
async def test_what_was_put_is_there_at_once_and_after_reopening(store, opened):
    await committed(store, Put(KMS_KEYS, kms_key(description="first")))
    assert (await one(store, KMS_KEYS, "a")).description == "first"
    again = opened("w1")
    assert (await one(again, KMS_KEYS, "a")).description == "first"
    again.close()


@on_loop
async def test_what_is_not_there_is_none_until_it_is(store, opened):
    assert await one(store, KMS_KEYS, "a") is None
    await committed(store, Put(KMS_KEYS, kms_key()))
    assert await one(store, KMS_KEYS, "a") is not None


@on_loop
async def test_a_change_needs_the_version_it_was_decided_on(store, opened):
    first = kms_key()
    await committed(store, Put(KMS_KEYS, first))
    await committed(store, Put(KMS_KEYS, changed(first, description="one"), first))
    with pytest.raises(StoreConflict):
        await committed(
            store, Put(KMS_KEYS, changed(first, description="two"), first), event_id="f"
        )
    assert (await one(store, KMS_KEYS, "a")).description == "one"


@on_loop
async def test_what_was_made_again_under_the_same_key_is_another(store, opened):
    """A version does not name an entity: one that was deleted and made again has it once more."""
    first = alias("alias/x", "a")
    await committed(store, Put(ALIASES, first))
    await committed(store, Delete(ALIASES, first))
    await committed(store, Put(ALIASES, alias("alias/x", "b")))
    late = (
        (Put(ALIASES, changed(first, target_key_id="c"), first),),
        (Delete(ALIASES, first),),
        (Expect(ALIASES, first), Put(KMS_KEYS, kms_key())),
    )
    for writes in late:
        with pytest.raises(StoreConflict):
            await committed(store, *writes)
    assert (await one(store, ALIASES, "alias/x")).target_key_id == "b"
    assert await one(store, KMS_KEYS, "a") is None


@on_loop
async def test_what_an_earlier_version_wrote_in_other_bytes_can_be_changed(store, opened):
    first = kms_key()
    await committed(store, Put(KMS_KEYS, first))
    body = b" " + store._writer._statements["kms_keys"].encode(first)
    rewritten = "UPDATE kms_keys SET body = ?"
    store._writer._execute(rewritten, (body,))
    await committed(store, Put(KMS_KEYS, changed(first, description="one"), first))
    assert (await one(store, KMS_KEYS, "a")).description == "one"


@on_loop
async def test_nothing_is_made_twice(store, opened):
    await committed(store, Put(KMS_KEYS, kms_key()))
    with pytest.raises(StoreConflict):
        await committed(store, Put(KMS_KEYS, kms_key()), event_id="f")


@on_loop
async def test_a_group_that_must_not_grow(store, opened):
    one_alias = ExpectAtMost(ALIASES, "by_key", (*OWNER, "a"), 1)
    await committed(store, Put(ALIASES, alias("alias/x")), one_alias)
    with pytest.raises(StoreConflict):
        await committed(store, Put(ALIASES, alias("alias/y")), one_alias, event_id="f")
    # Those of another key do not count.
    await committed(store, Put(ALIASES, alias("alias/y", target="b")), one_alias)


@on_loop
async def test_a_group_that_must_be_empty(store, opened):
    nothing = ExpectAtMost(ALIASES, "by_key", (*OWNER, "a"))
    key = kms_key()
    await committed(store, Put(KMS_KEYS, key), nothing)
    first = alias("alias/x")
    await committed(store, Put(ALIASES, first))
    with pytest.raises(StoreConflict):
        await committed(store, Delete(KMS_KEYS, key), nothing, event_id="f")
    assert await one(store, KMS_KEYS, "a") == key
    # What the same commit removes before is not there any more.
    await committed(store, Delete(KMS_KEYS, key), Delete(ALIASES, first), nothing)
    assert await one(store, KMS_KEYS, "a") is None


def grant(number):
    return StoredGrant(
        account_id=OWNER[0],
        region=OWNER[1],
        key_id="a",
        grant_id=f"{number:064x}",
        created_at=1.0,
        grantee="arn:alice",
        grantee_shown="arn:alice",
        issuing_account=OWNER[0],
        operations=("Encrypt",),
    )


def size(store):
    return look(lambda: store.view.count(GRANTS, "by_key", (*OWNER, "a")))


@on_loop
async def test_a_group_that_is_counted_has_its_size_kept_with_each_commit(store, opened):
    assert "by_key" in GRANTS.counted
    room = ExpectAtMost(GRANTS, "by_key", (*OWNER, "a"), 3)
    for number in range(3):
        await committed(store, Put(GRANTS, grant(number)), room)
        assert await size(store) == number + 1
    with pytest.raises(StoreConflict):  # what is rolled back is not counted
        await committed(store, Put(GRANTS, grant(3)), room)
    await committed(store, Put(GRANTS, changed(grant(0)), grant(0)), room)
    await committed(store, Delete(GRANTS, grant(1)), Put(GRANTS, grant(4)), room)
    again = opened("w1")
    assert await size(again) == await size(store) == 3
    await committed(again, *(Delete(GRANTS, one) for one in (changed(grant(0)), grant(2))))
    await future_of(store.refresh())
    assert await size(store) == 1
    await committed(again, Delete(GRANTS, grant(4)))
    again.close()
    last = opened("w2")
    assert await size(last) == 0
    last.close()


def test_groups_of_an_older_store_are_counted_once(tmp_path):
    connection = sqlite.connect(tmp_path / "kagimori.db")
    migrations.migrate(connection, to=16)
    connection.executemany(
        "INSERT INTO grants (account_id, region, key_id, grant_id, grantee, name, version, body) "
        "VALUES (?, ?, ?, ?, '', '', 1, '{}')",
        [(*OWNER, key, str(number)) for key in "ab" for number in range(3 if key == "a" else 1)],
    )
    migrations.migrate(connection)
    database = sqlite.SqliteDatabase(connection, "w0", tuple(TABLES.values()))
    assert database.count(GRANTS, "by_key", (*OWNER, "a")) == 3
    assert database.count(GRANTS, "by_key", (*OWNER, "b")) == 1
    database.close()


@on_loop
async def test_a_commit_is_whole_or_nothing(store, opened):
    first = kms_key()
    await committed(store, Put(KMS_KEYS, first), event_id="e")
    gone = changed(first)
    with pytest.raises(StoreConflict):
        await committed(store, Put(ALIASES, alias("alias/x")), Expect(KMS_KEYS, gone), event_id="f")
    assert await one(store, ALIASES, "alias/x") is None
    assert [row[0] for row in store.outbox()] == ["e"]


@on_loop
async def test_commits_that_wait_together_do_not_harm_each_other(store, opened):
    first = kms_key()
    await committed(store, Put(KMS_KEYS, first), event_id="0")
    pendings = [
        committed(store, Put(KMS_KEYS, changed(first, description="x"), first), event_id="1"),
        committed(store, Put(KMS_KEYS, changed(first, description="y"), first), event_id="2"),
        committed(store, Put(ALIASES, alias("alias/z")), event_id="3"),
    ]
    results = await asyncio.gather(*pendings, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), StoreConflict, type(None)]
    assert await one(store, ALIASES, "alias/z") is not None


@on_loop
async def test_what_was_deleted_is_gone(store, opened):
    first = kms_key()
    await committed(store, Put(KMS_KEYS, first), event_id="1")
    await committed(store, Delete(KMS_KEYS, first), event_id="2")
    assert await one(store, KMS_KEYS, "a") is None


@on_loop
async def test_groups_follow_their_members(store, opened):
    group = (*OWNER, "a")

    async def names():
        found = await look(lambda: store.view.group(ALIASES, "by_key", group))
        return [entry.alias_name for entry in found]

    assert await names() == []
    moved = alias("alias/1")
    await committed(store, Put(ALIASES, moved), event_id="1")
    await committed(store, Put(ALIASES, alias("alias/2")), event_id="2")
    assert await names() == ["alias/1", "alias/2"]
    await committed(store, Put(ALIASES, changed(moved, target_key_id="b"), moved), event_id="3")
    assert await names() == ["alias/2"]
    assert await look(lambda: store.view.count(ALIASES, "by_key", group)) == 1


@on_loop
async def test_pages_have_no_gap_and_no_repeat_while_others_write(store, opened):
    for number in range(0, 40, 2):
        key = kms_key(f"{number:03}")
        await committed(store, Put(KMS_KEYS, key), event_id=f"{number}")
    seen, after = [], None
    while True:
        start = after and (*OWNER, after)
        page = await look(lambda at=start: store.view.page(KMS_KEYS, OWNER, at, 7))
        seen += [key.key_id for key in page]
        if len(page) < 7:
            break
        after = page[-1].key_id
        odd = kms_key(f"{len(seen) * 2 + 1:03}")
        await committed(store, Put(KMS_KEYS, odd), event_id=f"odd{len(seen)}")
    even = [key_id for key_id in seen if int(key_id) % 2 == 0]
    assert even == [f"{number:03}" for number in range(0, 40, 2)]
    assert len(seen) == len(set(seen))


@on_loop
async def test_another_worker_sees_a_change_at_once(store, opened):
    other = opened("w1")
    first = kms_key()
    await committed(store, Put(KMS_KEYS, first), event_id="1")
    await future_of(other.refresh())
    assert (await one(other, KMS_KEYS, "a")).version == 1
    await committed(store, Put(KMS_KEYS, changed(first, description="new"), first), event_id="2")
    assert not other.is_fresh()
    await future_of(other.refresh())
    assert (await one(other, KMS_KEYS, "a")).description == "new"
    assert other.is_fresh()
    other.close()


@on_loop
async def test_a_load_that_a_commit_overtakes_is_read_again(store, opened):
    first = kms_key(description="old")
    await committed(store, Put(KMS_KEYS, first), event_id="1")
    store.view.forget(None)
    loading = asyncio.ensure_future(one(store, KMS_KEYS, "a"))
    await asyncio.sleep(0)
    await committed(store, Put(KMS_KEYS, changed(first, description="new"), first), event_id="2")
    await loading
    assert (await one(store, KMS_KEYS, "a")).description == "new"


@on_loop
async def test_the_record_stays_until_it_is_released(store, opened):
    await committed(store, Put(KMS_KEYS, kms_key()), event_id="e")
    assert [(row[0], row[3]) for row in store.outbox()] == [("e", b'{"eventID":"e"}')]
    store.release(["e"])
    store.close()
    again = opened("w1")
    assert again.outbox() == []
    again.close()


@on_loop
async def test_a_full_disk_changes_nothing_and_passes(store, opened):
    first = kms_key()
    await committed(store, Put(KMS_KEYS, first), event_id="1")
    give_back = fill(store, opened.place)
    big = changed(first, description="x" * 8000)
    many = [Put(KMS_KEYS, kms_key(f"k{number}", description="y" * 8000)) for number in range(50)]
    with pytest.raises(StoreFailed):
        await committed(store, Put(KMS_KEYS, big, first), *many, event_id="2")
    assert (await one(store, KMS_KEYS, "a")).description == ""
    assert await one(store, KMS_KEYS, "k1") is None
    give_back()
    await committed(store, Put(KMS_KEYS, big, first), event_id="3")
    assert (await one(store, KMS_KEYS, "a")).description == big.description


@on_loop
async def test_what_is_due_comes_in_order(store, opened):
    for number, at in enumerate((30.0, 10.0, 20.0, 40.0)):
        due = kms_key(f"k{number}", rotation_next_at=at)
        await committed(store, Put(KMS_KEYS, due), event_id=f"{number}")
    found = await future_of(store.due(KMS_KEYS, 30.0, 10))
    assert [key.key_id for key in found] == ["k1", "k2", "k0"]


MINE = (*OWNER, "CUSTOMER")


async def number_of_keys(store):
    return await look(lambda: store.view.count(KMS_KEYS, "by_manager", MINE))


@on_loop
async def test_the_number_of_keys_follows_what_comes_and_goes(store, opened):
    first, second = kms_key("a"), kms_key("b")
    await committed(store, Put(KMS_KEYS, first), Put(KMS_KEYS, second))
    await committed(store, Put(KMS_KEYS, kms_key("m", key_manager="AWS")))
    assert await number_of_keys(store) == 2
    await committed(store, Put(KMS_KEYS, changed(first, description="x"), first))
    with pytest.raises(StoreConflict):  # the alias is there already, so the key is not made
        await committed(store, Put(ALIASES, alias("alias/x")))
        await committed(store, Put(KMS_KEYS, kms_key("c")), Put(ALIASES, alias("alias/x")))
    assert await number_of_keys(store) == 2
    await committed(store, Delete(KMS_KEYS, second))
    assert await number_of_keys(store) == 1


@on_loop
async def test_no_two_make_the_last_key_together(store, opened):
    others = opened("w1")
    try:
        room = ExpectAtMost(KMS_KEYS, "by_manager", MINE, 3)
        made = [
            (store, others)[number % 2].commit(
                (Put(KMS_KEYS, kms_key(f"k{number}")), room), f"key-{number}", b"{}"
            )
            for number in range(8)
        ]
        ends = await asyncio.gather(*map(future_of, made), return_exceptions=True)
        assert sum(isinstance(end, StoreConflict) for end in ends) == 5
        assert await number_of_keys(store) == 3
    finally:
        others.close()


def test_keys_that_are_there_already_are_counted_when_the_schema_is_renewed(tmp_path):
    from kagimori.machinery.store.migrations import migrate
    from kagimori.machinery.store.sqlite import connect

    connection = connect(tmp_path / "x.db")
    migrate(connection, to=19)
    for name, body in (("a", b"{}"), ("b", b'{"key_manager":"AWS"}'), ("c", b"{}")):
        connection.execute(
            "INSERT INTO kms_keys (account_id, region, key_id, version, body) "
            "VALUES (?, ?, ?, 1, ?)",
            (*OWNER, name, body),
        )
    migrate(connection)
    counts = connection.execute(
        "SELECT held_by, members FROM group_sizes WHERE name = 'kms_keys/by_manager'"
    ).fetchall()
    connection.close()
    own = "/".join(OWNER)
    assert sorted(counts) == [(f"{own}/AWS", 1), (f"{own}/CUSTOMER", 2)]


def test_the_schema_refuses_to_go_back(tmp_path):
    from kagimori.machinery.store.sqlite import open_database

    open_database(tmp_path / "x.db").close()
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(NewerSchema):
        open_database(tmp_path / "x.db")


def test_the_schema_in_postgresql_refuses_to_go_back(databases):
    with databases.lent() as url:
        with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute("INSERT INTO schema_versions VALUES (999, 999)")
            with pytest.raises(NewerSchema):
                engine_of(url).open("", ())
            connection.execute("DELETE FROM schema_versions WHERE number = 999")
        engine_of(url).open("", ()).close()


@on_loop
async def test_of_what_several_workers_note_the_newest_stays(store, opened):
    other = opened("w1")

    def used(operation, at):
        return KeyUsageRecord(
            account_id="1",
            region="r",
            key_id="k",
            operation=operation,
            at=at,
            event_id="e",
            request_id="q",
            version=round(at * 1000),
        )

    try:
        for noting, use in ((store, used("Sign", 5.0)), (other, used("Verify", 4.0))):
            noting.note(KEY_USAGES, (use,))
            while noting._busy:
                await asyncio.sleep(0)
        assert await future_of(store.read_all(KEY_USAGES)) == [used("Sign", 5.0)]
        other.note(KEY_USAGES, (used("Verify", 6.0),))
        while other._busy:
            await asyncio.sleep(0)
        assert await future_of(store.read_all(KEY_USAGES)) == [used("Verify", 6.0)]
    finally:
        other.close()
