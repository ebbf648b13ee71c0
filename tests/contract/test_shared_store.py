"""Nodes that share a database: what others changed, what was lost on the way, and how stale it gets.

Promise: acknowledged-is-durable.
"""

import asyncio
import contextlib
import itertools
import threading

import psycopg
import pytest

from kagimori.entities.tables import ALIASES, KMS_KEYS, TABLES
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.database import CommitUnknown
from kagimori.machinery.store.postgres import database as postgres_database
from kagimori.machinery.store.postgres import link
from kagimori.machinery.store.postgres.link import PostgresLost
from kagimori.machinery.store.shared_store import SharedStore
from kagimori.ports import ExpectAtMost, Put, StoreConflict, StoreFailed
from kagimori.rules.entity import changed
from kit import postgres
from kit.nouns import OWNER, alias, kms_key
from waiting import future_of, look

EVENT_IDS = itertools.count()


class Nodes:
    """Nodes of one worker each, over one database."""

    def __init__(self, folder, url):
        self._folder, self.url, self._opened = folder, url, []

    def node(self, name, stale_seconds=5.0):
        store = SharedStore(
            self.url,
            ChangeSignal(self._folder / name),
            stream=f"{name}-w0",
            tables=tuple(TABLES.values()),
            stale_seconds=stale_seconds,
        )
        self._opened.append(store)
        return store

    def ask(self, sql, *parameters):
        with contextlib.closing(psycopg.connect(self.url, autocommit=True)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def ask_nothing(self, sql):
        with contextlib.closing(psycopg.connect(self.url, autocommit=True)) as connection:
            connection.execute(sql)

    def close(self):
        for store in self._opened:
            store.close()


@pytest.fixture
def run(tmp_path, databases):
    def run(test):
        async def with_nodes(url):
            nodes = Nodes(tmp_path, url)
            try:
                await asyncio.wait_for(test(nodes), 120)
            finally:
                nodes.close()

        with databases.lent() as url:
            asyncio.run(with_nodes(url))

    return run


async def with_server(test, folder, server):
    """Run a test on a database of a server of its own."""
    nodes = Nodes(folder, server.new_database())
    try:
        await asyncio.wait_for(test(nodes), 120)
    finally:
        nodes.close()


def committed(store, *writes, event_id=None):
    event_id = event_id or f"event-{next(EVENT_IDS)}"
    return future_of(store.commit(writes, event_id, b'{"eventID":"e"}'))


async def one(store, key_id="a"):
    if not store.is_fresh():
        await future_of(store.refresh())
    return await look(lambda: store.view.one(KMS_KEYS, (*OWNER, key_id)))


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


def test_another_nodes_change_is_noticed_without_a_signal(run):
    async def test(nodes):
        ours, theirs = nodes.node("a"), nodes.node("b")
        first = kms_key()
        await committed(theirs, Put(KMS_KEYS, first))
        await until(lambda: not ours.is_fresh())
        assert (await one(ours)).description == ""
        await committed(theirs, Put(KMS_KEYS, changed(first, description="new"), first))
        await until(lambda: not ours.is_fresh())
        assert (await one(ours)).description == "new"
        while not ours.is_fresh():  # a look that had begun before counts once more
            await future_of(ours.refresh())

    run(test)


def test_without_notices_the_heartbeat_notices_it(run):
    async def test(nodes):
        ours, theirs = nodes.node("a"), nodes.node("b")
        theirs._writer.announce_change = lambda: None
        await committed(theirs, Put(KMS_KEYS, kms_key()))
        await until(lambda: not ours.is_fresh())
        assert await one(ours) is not None

    run(test)


def test_our_own_changes_are_there_at_once_and_make_nothing_stale(run):
    async def test(nodes):
        ours = nodes.node("a")
        key = kms_key()
        await committed(ours, Put(KMS_KEYS, key))
        await one(ours)
        for number in range(5):
            successor = changed(key, description=f"{number}")
            await committed(ours, Put(KMS_KEYS, successor, key))
            key = successor
            assert (await one(ours)).description == f"{number}"
        looks = ours._watch.confirmed_at
        await until(lambda: ours._watch.confirmed_at > looks)
        assert ours._watch.changes == 0

    run(test)


@pytest.mark.parametrize("was_made", [True, False])
def test_a_commit_whose_answer_was_lost_is_looked_for_and_made_once(run, was_made):
    async def test(nodes):
        store = nodes.node("a")
        first = kms_key()
        await committed(store, Put(KMS_KEYS, first))
        wire, lost = store._writer._link, []
        real = wire.run

        def losing(text, parameters=()):
            if text == "COMMIT" and not lost:
                lost.append(text)
                if was_made:
                    real(text, parameters)
                wire._connection.close()
                raise PostgresLost("the connection is lost")
            return real(text, parameters)

        wire.run = losing
        second = changed(first, description="new")
        await committed(store, Put(KMS_KEYS, second, first), event_id="the-one")
        assert lost
        assert (await one(store)).version == 2
        assert nodes.ask("SELECT count(*) FROM changes WHERE event_id = 'the-one'") == [(1,)]
        assert nodes.ask("SELECT count(*) FROM outbox WHERE event_id = 'the-one'") == [(1,)]
        await committed(store, Put(KMS_KEYS, changed(second), second))

    run(test)


@pytest.mark.parametrize("was_made", [True, False])
def test_one_that_cannot_be_looked_for_in_time_is_found_later(run, monkeypatch, was_made):
    monkeypatch.setattr(postgres_database, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(postgres_database, "RECONNECT_SECONDS", 0.0)

    async def test(nodes):
        store, late = nodes.node("a"), []
        store.on_late = lambda event_id, record: late.append(event_id)
        first = kms_key()
        await committed(store, Put(KMS_KEYS, first))
        wire = store._writer._link
        real, gone = wire.run, False

        def losing(text, parameters=()):
            nonlocal gone
            if text == "COMMIT" and not gone:
                gone = True
                if was_made:
                    real(text, parameters)
                wire._connection.close()
            if gone:
                raise PostgresLost("the network is gone")
            return real(text, parameters)

        wire.run = losing
        second = changed(first, description="new")
        with pytest.raises(CommitUnknown):
            await committed(store, Put(KMS_KEYS, second, first), event_id="the-one")
        with pytest.raises(StoreFailed):  # nothing overtakes it
            await committed(store, Put(ALIASES, alias("alias/x")))
        wire.run = real
        await until(lambda: store.healthy)
        assert late == (["the-one"] if was_made else [])
        assert (await one(store)).description == ("new" if was_made else "")

    run(test)


def test_what_a_dead_worker_still_has_on_its_way_is_awaited_by_its_successor(run):
    """The server goes on with a transaction whose client was killed after it sent COMMIT."""

    async def test(nodes):
        await committed(nodes.node("a"), Put(KMS_KEYS, kms_key()))
        with contextlib.closing(psycopg.connect(nodes.url)) as dead:
            dead.execute("UPDATE feeds SET newest = newest + 1 WHERE stream = 'a-w0'")
            dead.execute("INSERT INTO outbox VALUES ('late', 'a-w0', 1, 'r')")
            threading.Timer(0.3, dead.commit).start()
            successor = nodes.node("a")
            assert "late" in [row[0] for row in successor.outbox()]

    run(test)


def test_groups_that_must_not_grow_hold_against_other_nodes_at_the_same_time(run):
    """Each sees that there is room, and writes another row: only serializability notices it."""

    async def test(nodes):
        stores = [nodes.node(name) for name in "abc"]
        most = ExpectAtMost(ALIASES, "by_key", (*OWNER, "a"), 4)
        tries = [
            committed(store, Put(ALIASES, alias(f"alias/{name}-{number}")), most)
            for number in range(4)
            for name, store in zip("abc", stores, strict=True)
        ]
        results = await asyncio.gather(*tries, return_exceptions=True)
        made = [one for one in results if one is None]
        assert len(made) == 4
        assert {type(one) for one in results if one is not None} == {StoreConflict}
        assert nodes.ask("SELECT count(*) FROM aliases") == [(4,)]

    run(test)


def test_a_node_that_lost_the_database_answers_from_memory_for_a_while_and_comes_back(tmp_path):
    server = postgres.Server(safe=True)

    async def test(nodes):
        store = nodes.node("a", stale_seconds=1.0)
        await committed(store, Put(KMS_KEYS, kms_key()))
        await one(store)
        await until(store.is_fresh)
        server.kill()
        assert store.view.one(KMS_KEYS, (*OWNER, "a")) is not None
        await until(lambda: not store.is_fresh())
        assert not store.healthy
        with pytest.raises(StoreFailed):
            await future_of(store.refresh())
        with pytest.raises(StoreFailed):
            await committed(store, Put(KMS_KEYS, kms_key("b")))
        server.start()
        await until(lambda: store.healthy and store.is_fresh())
        assert await one(store, "b") is None
        await committed(store, Put(KMS_KEYS, kms_key("b")))

    try:
        asyncio.run(with_server(test, tmp_path, server))
    finally:
        server.remove()


def test_nothing_is_acknowledged_that_a_synchronous_standby_has_not(tmp_path, monkeypatch):
    monkeypatch.setattr(link, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(link, "_LIMITS", ("SET statement_timeout = 200", "SET lock_timeout = 100"))
    monkeypatch.setattr(postgres_database, "SETTLE_SECONDS", 0.5)
    server = postgres.Server(safe=True)

    async def test(nodes):
        store, late = nodes.node("a"), []
        store.on_late = lambda event_id, record: late.append(event_id)
        await committed(store, Put(KMS_KEYS, kms_key()))
        nodes.ask_nothing("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        nodes.ask("SELECT pg_reload_conf()")
        while nodes.ask("SHOW synchronous_standby_names") == [("",)]:
            await asyncio.sleep(0.01)
        with pytest.raises(CommitUnknown):
            await committed(store, Put(KMS_KEYS, kms_key("b")), event_id="the-one")
        nodes.ask_nothing("ALTER SYSTEM RESET synchronous_standby_names")
        nodes.ask("SELECT pg_reload_conf()")
        await until(lambda: store.healthy)
        assert late == ["the-one"]
        assert await one(store, "b") is not None

    try:
        asyncio.run(with_server(test, tmp_path, server))
    finally:
        server.remove()
