"""A whole server on PostgreSQL, while the database and the way there fail: its history has an explanation.

Promises: acknowledged-is-durable, record-before-release.
"""

import contextlib
import os
import signal
import time

import pytest

import serving
from faults.test_histories import one_record_for_each, ready
from histories.driven import LONG, explained, record, wait_for
from kit.bad_network import BadNetwork
from kit.postgres import Server
from kit.standby import REPLICATION, Pair

OPTIONS = ("--workers", "2", "--digest-minutes", "0.01")


@pytest.fixture(scope="module")
def database():
    server = Server(*REPLICATION, safe=True)
    yield server
    server.remove()


@contextlib.contextmanager
def deployed(url):
    """Yield a server whose store is there."""
    with serving.served(*OPTIONS, init_options=("--store", url)) as server:
        server.name = "n1"
        yield server
        assert server.stop() == 0
        done = serving.run("audit", "verify", "--data", server.data)
        assert done.returncode == 0, done.stdout


def goes_on(server, disturb, name):
    """Let clients work before, during and after a fault, and check their history."""

    def rounds(_, crew):
        wait_for(crew, 30)
        for number in range(LONG):
            disturb(crew, number)
            ready(server)
            wait_for(crew, 30)

    history = record([server], name, rounds, settle=lambda: ready(server))
    outcomes = explained(history)
    one_record_for_each(server.data, history)
    return outcomes


def test_the_database_is_killed_under_a_server(database):
    with deployed(database.new_database()) as server:

        def disturb(crew, number):
            database.kill()
            time.sleep(0.5)
            database.start()

        goes_on(server, disturb, "database killed")


def test_a_process_is_killed_while_the_database_is(database):
    with deployed(database.new_database()) as server:

        def disturb(crew, number):
            victim = ("w0", "w1", "hsm")[number % 3]
            before = server.pids[victim]
            database.stop()
            os.kill(before, signal.SIGKILL)
            time.sleep(0.5)
            database.start()
            serving.eventually(lambda: server.pids.get(victim) not in (None, before), 60)

        goes_on(server, disturb, "both killed")


@pytest.mark.parametrize("manner", ["cut", "silent", "deaf", "slow"] if LONG > 1 else ["deaf"])
def test_the_network_under_a_server_is_bad(database, manner):
    network = BadNetwork(f"{database.folder}/.s.PGSQL.5432")
    name = database.new_database().partition("@/")[2].partition("?")[0]
    try:
        with deployed(f"postgresql://owner@127.0.0.1:{network.port}/{name}") as server:

            def disturb(crew, number):
                network.set(manner)
                time.sleep(2.0)
                network.set("cut")
                time.sleep(0.2)
                network.set("through")

            goes_on(server, disturb, f"network {manner}")
    finally:
        network.close()


def test_the_database_fails_over_under_a_server():
    pair = Pair()
    try:
        with contextlib.closing(pair.primary.connect("postgres")) as connection:
            connection.execute("CREATE DATABASE shared")
        with deployed(pair.url("shared")) as server:

            def disturb(crew, number):
                if not number:
                    pair.fail_over()

            goes_on(server, disturb, "database failed over")
    finally:
        pair.remove()
