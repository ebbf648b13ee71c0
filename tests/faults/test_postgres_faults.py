"""PostgreSQL killed, restarted and failed over, and the way there cut, under nodes that write.

Three nodes change the same rows, as workers do; the history of what they saw must have an
explanation, each commit is there once or not at all, and its record with it. Promises:
acknowledged-is-durable, record-before-release.
"""

import asyncio
import contextlib
import json
import random
import threading
import time
from collections import Counter
from functools import partial

import psycopg
import pytest

from histories.driven import LONG, SEED, kept
from histories.history import ABSENT, NEVER, OK, REFUSED, UNKNOWN, History, Read, Write
from histories.rules import violations
from kagimori.entities.tables import ALIASES, TABLES
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.ports import Delete, Put, StoreConflict, StoreFailed
from kagimori.rules.entity import changed
from kagimori.rules.keys.kms_key import Alias
from kit.bad_network import BadNetwork
from kit.postgres import Server
from kit.standby import REPLICATION, Pair
from waiting import future_of, look

OWNER = ("111122223333", "us-east-1")
NAMES = ("alias/a", "alias/b", "alias/c")


class Writer(threading.Thread):
    """A node: its own store, and clients that change and read the same rows as all others."""

    def __init__(self, name, place, history, folder):
        super().__init__(name=name, daemon=True)
        self._place, self._history, self._folder = place, history, folder / name
        self._folder.mkdir()
        self.answers, self.problem, self.stopping = 0, None, threading.Event()
        self.connected = threading.Event()
        self.events = {}

    def run(self):
        try:
            asyncio.run(self._live())
        except BaseException as problem:
            self.problem = problem
            raise

    async def _live(self):
        signal = ChangeSignal(self._folder / "changes")
        store = WorkerStore(self._place, signal, stream=self.name, tables=tuple(TABLES.values()))
        self.connected.set()
        try:
            await asyncio.gather(*(self._client(store, number) for number in range(2)))
        finally:
            store.close()

    async def _client(self, store, number):
        client = f"{self.name}/{number}"
        chance = random.Random(f"{self._history.seed}/{client}")
        at = 0
        while not self.stopping.is_set():
            at += 1
            register = chance.choice(NAMES)
            members = {"client": client, "node": self.name, "called": time.monotonic()}
            try:
                await future_of(store.refresh())
                before = await look(partial(store.view.one, ALIASES, (*OWNER, register)))
            except StoreFailed:
                await asyncio.sleep(0.05)
                continue
            value = ABSENT if before is None else before.target_key_id
            seen = Read(register, (value,))
            self._add(members, OK, name="Read", reads=(seen,))
            self.answers += 1
            if chance.random() < 0.6:
                await self._change(store, register, before, f"{client}/{at}", chance, client)

    async def _change(self, store, register, before, value, chance, client):
        if before is not None and chance.random() < 0.2:
            write, value, was = Delete(ALIASES, before), ABSENT, before.target_key_id
        elif before is None:
            entity = Alias(
                account_id=OWNER[0],
                region=OWNER[1],
                alias_name=register,
                target_key_id=value,
                created_at=1.0,
                updated_at=1.0,
            )
            write, was = Put(ALIASES, entity), ABSENT
        else:
            write = Put(ALIASES, changed(before, target_key_id=value), before=before)
            was = before.target_key_id
        event = f"{client}/{len(self.events)}/{value}"
        members = {"client": client, "node": self.name, "called": time.monotonic()}
        outcome = OK
        try:
            await future_of(store.commit([write], event, json.dumps({"eventID": event}).encode()))
            self.answers += 1
        except StoreConflict:
            outcome = REFUSED
        except StoreFailed:
            outcome = UNKNOWN
        self.events[event] = outcome
        self._add(members, outcome, name="Commit", writes=(Write(register, value, (was,)),))

    def _add(self, members, outcome, **others):
        done = NEVER if outcome == UNKNOWN else time.monotonic()
        self._history.add(**members, done=done, outcome=outcome, **others)


def lived(place, name, disturb, folder, nodes=3):
    """Let nodes write while `disturb(wait)` makes faults; check what they saw, and what is there."""
    history = History(f"{SEED}/{name}", others_bound=0.0)
    print("seed", history.seed)
    crew = [Writer(f"n{number}", place, history, folder) for number in range(nodes)]
    for node in crew:
        node.start()
    for node in crew:
        assert node.connected.wait(60), node.problem

    def wait(more):
        wanted = sum(node.answers for node in crew) + more
        deadline = time.monotonic() + 90
        while sum(node.answers for node in crew) < wanted:
            assert time.monotonic() < deadline, "no answers"
            assert all(node.problem is None for node in crew), [node.problem for node in crew]
            time.sleep(0.01)

    try:
        wait(30)
        for _ in range(LONG):
            disturb(wait)
            wait(30)
    finally:
        for node in crew:
            node.stopping.set()
        for node in crew:
            node.join(60)
    assert all(node.problem is None for node in crew), [node.problem for node in crew]
    found = violations(history)
    assert not found, f"{[str(one) for one in found]}; python -m histories {kept(history)}"
    events = {event: outcome for node in crew for event, outcome in node.events.items()}
    records_are_those_of(place, events)
    print(Counter(request.outcome for request in history.requests))
    return history


def records_are_those_of(place, events):
    """Check that each commit that was made has its record, once, and each other one has none."""
    with contextlib.closing(psycopg.connect(place)) as connection:
        rows = connection.execute("SELECT event_id FROM outbox").fetchall()
    found = Counter(event for (event,) in rows)
    assert set(found.values()) <= {1}
    assert {event for event, outcome in events.items() if outcome == OK} <= set(found)
    assert set(found) <= {event for event, outcome in events.items() if outcome != REFUSED}


@pytest.fixture(scope="module")
def server():
    server = Server(*REPLICATION, safe=True)
    yield server
    server.remove()


def test_the_database_is_killed_and_started_again(server, tmp_path):
    def disturb(wait):
        server.kill()
        time.sleep(0.3)
        server.start()

    lived(server.new_database(), "killed", disturb, tmp_path)


def test_the_database_is_stopped_and_started_again(server, tmp_path):
    def disturb(wait):
        server.stop()
        server.start()

    lived(server.new_database(), "stopped", disturb, tmp_path)


def test_connections_are_ended_all_the_time(server, tmp_path):
    """Between two statements, in the middle of one, and between COMMIT and its answer."""

    def disturb(wait):
        with contextlib.closing(server.connect("postgres")) as connection:
            for _ in range(25):
                wait(4)
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name LIKE 'kagimori n%' AND random() < 0.4"
                )

    lived(server.new_database(), "ended", disturb, tmp_path)


@pytest.mark.parametrize("manner", ["cut", "silent", "deaf", "slow"])
def test_the_network_to_the_database_is_bad(server, tmp_path, manner):
    """`deaf`: commits arrive and their answers do not, so nobody knows at first what became of them."""
    network = BadNetwork(f"{server.folder}/.s.PGSQL.5432")
    name = server.new_database().partition("/")[2].partition("?")[0].rpartition("/")[2]
    place = f"postgresql://owner@127.0.0.1:{network.port}/{name}"

    def disturb(wait):
        for _ in range(2):
            network.set(manner)
            time.sleep(1.5)
            if manner in ("silent", "deaf"):
                time.sleep(1)
                network.set("cut")
                time.sleep(0.2)
            network.set("through")
            wait(10)

    try:
        lived(place, manner, disturb, tmp_path)
    finally:
        network.close()


def test_the_database_fails_over_to_a_synchronous_standby(tmp_path):
    pair = Pair()
    try:
        with contextlib.closing(pair.primary.connect("postgres")) as connection:
            connection.execute("CREATE DATABASE shared")
        done = []

        def disturb(wait):
            if not done:
                pair.fail_over()
                done.append(True)

        lived(pair.url("shared"), "failed over", disturb, tmp_path)
    finally:
        pair.remove()
