"""Several workers on one store, and a store that fails: memory is never staler than what it says.

Promise: acknowledged-is-durable.
"""

import asyncio
import itertools
import random
import sqlite3
import threading

import pytest

from kagimori.entities.tables import ALIASES, KMS_KEYS, TABLES
from kagimori.machinery.store import sql_database, worker_store
from kagimori.machinery.store.change_signal import WORKERS_MAX, ChangeSignal
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.ports import Absent, Delete, Put, StoreConflict, StoreFailed
from kagimori.rules.entity import changed
from kit.nouns import OWNER, alias, kms_key
from kit.stores import fill, is_in_transaction
from waiting import future_of, look

EVENT_IDS = itertools.count()


class Node:
    """The stores of one node's workers, over one database."""

    def __init__(self, folder, place):
        self._folder, self.place = folder, place
        self._opened = []

    def worker(self, slot):
        signal = ChangeSignal(self._folder / "changes", slot)
        store = WorkerStore(self.place, signal, stream=f"w{slot}", tables=tuple(TABLES.values()))
        self._opened.append(store)
        return store

    def close(self):
        for store in self._opened:
            store.close()


@pytest.fixture
def run(tmp_path, place):
    def run(test):
        async def with_node():
            node = Node(tmp_path, place)
            try:
                await asyncio.wait_for(test(node), 60)
            finally:
                node.close()

        asyncio.run(with_node())

    return run


def committed(store, *writes):
    return future_of(store.commit(writes, f"event-{next(EVENT_IDS)}", b'{"eventID":"e"}'))


async def one(store, key_id="a"):
    if not store.is_fresh():
        await future_of(store.refresh())
    return await look(lambda: store.view.one(KMS_KEYS, (*OWNER, key_id)))


class HeldThread:
    """Makes a store's writing thread wait after its commit, before it says that it is done."""

    def __init__(self, store):
        self.committed, self.go_on = threading.Event(), threading.Event()
        commit_all = store._writer.commit_all

        def held(*arguments, **options):
            commit_all(*arguments, **options)
            self.committed.set()
            self.go_on.wait(20)

        store._writer.commit_all = held


def test_a_late_word_of_our_own_commit_does_not_undo_what_another_did_since(run):
    async def test(node):
        ours, theirs = node.worker(0), node.worker(1)
        first = kms_key()
        await committed(ours, Put(KMS_KEYS, first))
        await one(ours)
        thread = HeldThread(ours)
        second = changed(first, description="ours")
        waiting = committed(ours, Put(KMS_KEYS, second, first))
        await asyncio.to_thread(thread.committed.wait, 10)
        await committed(theirs, Put(KMS_KEYS, changed(second, description="theirs, later"), second))
        await one(ours)  # takes in what others did
        thread.go_on.set()
        await waiting
        assert (await one(ours)).description == "theirs, later"

    run(test)


def test_every_acknowledged_change_is_seen_by_every_worker_at_once(run):
    """Three workers change and read one key in a seeded order, as their turns come."""
    chance = random.Random(20261124)

    async def test(node):
        workers = [node.worker(slot) for slot in range(3)]
        await committed(workers[0], Put(KMS_KEYS, kms_key()))
        newest = 1

        async def live(store):
            nonlocal newest
            for _ in range(60):
                floor = newest
                found = await one(store)
                assert found.version >= floor
                if chance.random() < 0.5:
                    try:
                        await committed(store, Put(KMS_KEYS, changed(found), found))
                    except StoreConflict:
                        continue
                    newest = max(newest, found.version + 1)
                    assert (await one(store)).version >= found.version + 1

        await asyncio.gather(*(live(store) for store in workers for _ in range(2)))
        assert {(await one(store)).version for store in workers} == {newest}

    run(test)


def test_what_a_killed_worker_committed_is_seen_once_its_successor_starts(run):
    async def test(node):
        survivor, dying = node.worker(0), node.worker(1)
        first = kms_key()
        await committed(survivor, Put(KMS_KEYS, first))
        await one(survivor)
        dying._signal.notify = lambda: None  # killed between commit and saying so
        await committed(dying, Put(KMS_KEYS, changed(first, description="new"), first))
        node.worker(1)
        assert (await one(survivor)).description == "new"

    run(test)


def test_no_worker_undoes_anothers_signal(tmp_path):
    signals = [ChangeSignal(tmp_path / "changes", slot) for slot in (0, 1, WORKERS_MAX - 1)]
    seen = {signals[0].counts[:]}
    for signal in (*signals, *reversed(signals), *signals):
        signal.notify()
        assert len({one.counts[:] for one in signals}) == 1
        assert signals[0].counts[:] not in seen
        seen.add(signals[0].counts[:])


def test_a_feed_that_does_not_reach_back_drops_everything(run, monkeypatch):
    monkeypatch.setattr(sql_database, "CHANGES_KEPT", 3)

    async def test(node):
        ours, theirs = node.worker(0), node.worker(1)
        key = kms_key()
        await committed(ours, Put(KMS_KEYS, key))
        await one(ours)
        for number in range(10):
            successor = changed(key, description=f"{number}")
            await committed(theirs, Put(KMS_KEYS, successor, key))
            key = successor
        assert (await one(ours)).description == "9"

    run(test)


def test_a_page_that_nobody_took_is_not_given_out_after_a_change(run):
    async def test(node):
        store = node.worker(0)
        await committed(store, Put(KMS_KEYS, kms_key("a")))

        def page():
            return store.view.page(KMS_KEYS, OWNER, None, 10)

        with pytest.raises(Absent) as absent:
            page()
        await future_of(absent.value.load())  # its request ends before it looks again
        await committed(store, Put(KMS_KEYS, kms_key("b")))
        assert [key.key_id for key in await look(page)] == ["a", "b"]

    run(test)


def test_a_page_of_a_group_goes_on_after_a_whole_key_or_the_rest_of_one(run):
    async def test(node):
        store = node.worker(0)
        for name in ("alias/1", "alias/2", "alias/3"):
            await committed(store, Put(ALIASES, alias(name)))
        for after in ((*OWNER, "alias/1"), ("alias/1",)):
            found = await look(
                lambda at=after: store.view.page(ALIASES, (*OWNER, "a"), at, 10, "by_key")
            )
            assert [entry.alias_name for entry in found] == ["alias/2", "alias/3"]

    run(test)


@pytest.mark.parametrize("key_id", ["\ud800", "a\0b", "x" * 10_000])
def test_a_name_that_no_store_can_hold_is_an_answer_and_not_silence(run, key_id):
    async def test(node):
        store = node.worker(0)
        try:
            assert await one(store, key_id) is None
        except StoreFailed:
            pass
        assert store.healthy
        try:
            await committed(store, Put(ALIASES, alias(key_id)))
        except StoreFailed:
            pass
        await committed(store, Put(KMS_KEYS, kms_key()))
        assert store.healthy

    run(test)


def test_a_store_without_room_says_so_and_recovers_without_being_asked(run, monkeypatch):
    monkeypatch.setattr(worker_store, "RELEASE_SECONDS", 0.05)

    async def test(node):
        store = node.worker(0)
        await committed(store, Put(KMS_KEYS, kms_key()))
        give_back = fill(store, node.place)
        with pytest.raises(StoreFailed):
            await committed(store, Put(KMS_KEYS, kms_key("b", description="x" * 100_000)))
        assert not store.healthy
        assert await one(store) is not None  # reads go on
        give_back()
        for _ in range(200):
            if store.healthy:
                break
            await asyncio.sleep(0.02)
        assert store.healthy
        assert await one(store, "b") is None

    run(test)


def test_a_store_that_fails_is_not_tried_again_without_a_pause(run, monkeypatch):
    monkeypatch.setattr(worker_store, "RELEASE_SECONDS", 0.1)

    async def test(node):
        store = node.worker(0)
        await committed(store, Put(KMS_KEYS, kms_key()))
        tries = 0

        def fails(*arguments, **options):
            nonlocal tries
            tries += 1
            raise sqlite3.OperationalError("database or disk is full")

        real, store._writer.commit_all = store._writer.commit_all, fails
        store.release(["event-0"])
        await asyncio.sleep(0.5)
        assert 1 <= tries <= 6
        store._writer.commit_all = real
        await asyncio.sleep(0.3)
        assert store.healthy
        assert store._released == []

    run(test)


@pytest.mark.parametrize("position", range(6))  # 0: after its record and its change are there
def test_a_commit_that_breaks_at_any_statement_changes_nothing(run, position):
    async def test(node):
        store = node.worker(0)
        first, gone = kms_key(), alias("alias/gone")
        await committed(store, Put(KMS_KEYS, first), Put(ALIASES, gone))
        writer = store._writer
        before = writer.positions()
        await one(store)
        left, real = position, writer._execute

        def breaking(text, parameters=()):
            nonlocal left
            if text.startswith(("INSERT", "UPDATE", "DELETE", "COMMIT")):
                left -= 1
                if left == 0:
                    raise writer.errors[0]("disk I/O error")
            return real(text, parameters)

        keep_records = writer._keep_records

        def breaking_after(*given):
            keep_records(*given)
            raise writer.errors[0]("disk I/O error")

        writer._execute = breaking
        if position == 0:
            writer._keep_records = breaking_after
        writes = (
            Put(KMS_KEYS, changed(first, description="new"), first),
            Put(ALIASES, alias("alias/new")),
            Delete(ALIASES, gone),
        )
        with pytest.raises(StoreFailed):
            await committed(store, *writes)
        writer._execute, writer._keep_records = real, keep_records
        assert not is_in_transaction(writer)
        assert (await one(store)).description == ""
        assert writer.positions() == before
        names = [
            entry.alias_name
            for entry in await look(lambda: store.view.group(ALIASES, "by_key", (*OWNER, "a")))
        ]
        assert names == ["alias/gone"]
        await committed(store, *writes)  # nothing was left that would be in the way
        assert (await one(store)).description == "new"

    run(test)


def test_one_commit_that_no_store_can_hold_harms_no_other_of_its_group(run):
    async def test(node):
        store = node.worker(0)
        await committed(store, Put(KMS_KEYS, kms_key("z")))
        pendings = [
            committed(store, Put(KMS_KEYS, kms_key("a"))),
            committed(store, Put(ALIASES, alias("\ud800"))),
            committed(store, Put(KMS_KEYS, kms_key("b"))),
        ]
        results = await asyncio.gather(*pendings, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), StoreFailed, type(None)]
        assert store.healthy
        assert await one(store, "b") is not None

    run(test)


def test_a_worker_needs_not_look_for_its_own_changes(run):
    async def test(node):
        ours, theirs = node.worker(0), node.worker(1)
        for store in (ours, theirs):
            await future_of(store.refresh())
        await future_of(ours.refresh())
        await committed(ours, Put(KMS_KEYS, kms_key()))
        assert ours.is_fresh()
        assert not theirs.is_fresh()
        await committed(theirs, Put(KMS_KEYS, kms_key("b")))
        await committed(ours, Put(KMS_KEYS, kms_key("c")))
        assert not ours.is_fresh()  # our own change hides nobody else's

    run(test)
