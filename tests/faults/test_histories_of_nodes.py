"""Three nodes on one PostgreSQL, under clients that use them all, while parts of it fail.

The history must be explained by what nodes promise each other: own changes at once, others'
within a second, and within five by a node that was cut off or paused. Promises:
acknowledged-is-durable, record-before-release.
"""

import contextlib
import json
import os
import random
import signal
import time
from collections import Counter

import pytest

import serving
from faults.test_histories import ready
from histories.driven import LONG, SEED, explained, record, wait_for
from histories.history import Fault
from kit.bad_network import BadNetwork
from kit.postgres import Server
from kit.standby import REPLICATION

nodes = pytest.importorskip("kit.nodes", reason="this version has one node")
PAUSE_SECONDS = 60.0 if LONG > 1 else 8.0
OPTIONS = ("--digest-minutes", "0.05")


class Seen:
    """A node as clients see it: whichever server it is at the moment."""

    def __init__(self, name, node, network):
        self.name, self.node, self.network = name, node, network

    def __getattr__(self, name):
        node = self.__dict__["node"]
        return getattr(node, name) if hasattr(node, name) else getattr(node.server, name)

    def processes(self):
        return [self.node.server.process.pid, *self.node.server.pids.values()]


@pytest.fixture(scope="module")
def cluster():
    """Three nodes, each with a network of its own to the database."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(serving.temporary_folder())
        database = Server(*REPLICATION, safe=True)
        stack.callback(database.remove)
        name = database.new_database().partition("@/")[2].partition("?")[0]
        cluster = nodes.Cluster(folder, database, "", OPTIONS)
        seen = []
        for number in range(3):
            network = BadNetwork(f"{database.folder}/.s.PGSQL.5432")
            stack.callback(network.close)
            cluster.url = f"postgresql://owner@127.0.0.1:{network.port}/{name}"
            cluster.add()
            stack.callback(cluster[number].kill)
            seen.append(Seen(f"n{number}", cluster[number], network))
        cluster.seen = seen
        yield cluster


def goes_on(cluster, disturb, name):
    """Let clients work before, during and after a fault, and check their history."""

    def rounds(history, crew):
        wait_for(crew, 40)
        for _ in range(LONG):
            since = time.monotonic()
            affected = disturb(crew)
            history.faults.append(Fault(name, affected, since, time.monotonic()))
            for one in cluster.seen:
                ready(one)
            wait_for(crew, 40)

    history = record(cluster.seen, name, rounds, clients=6, user=f"alice-{name.replace(' ', '-')}")
    explained(history)
    for one in cluster.seen:
        one_record_for_each(one, history)


def one_record_for_each(one, history):
    """Check that each answer of a node has one record in the journals of that node."""
    lines = [
        json.loads(line)["record"].get("requestID")
        for file in (one.node.data / "audit").glob(f"{one.node.id}-w*/*.jsonl")
        for line in file.read_bytes().splitlines()
    ]
    found = Counter(lines)
    asked = [r.request_id for r in history.requests if r.request_id and r.node == one.name]
    assert asked
    assert {found[request_id] for request_id in asked} == {1}


def chosen(cluster, name):
    return random.Random(f"{SEED}/{name}").choice(cluster.seen)


def test_a_node_is_killed_and_comes_back(cluster):
    def disturb(crew):
        victim = chosen(cluster, "killed")
        victim.node.kill()
        wait_for(crew, 20)
        victim.node.start(*OPTIONS)
        return victim.name

    goes_on(cluster, disturb, "node killed")


@pytest.mark.parametrize("manner", ["cut", "silent", "deaf", "slow"] if LONG > 1 else ["deaf"])
def test_a_node_is_cut_off_from_the_database(cluster, manner):
    def disturb(crew):
        victim = chosen(cluster, manner)
        victim.network.set(manner)
        time.sleep(7.0)
        victim.network.set("cut")
        victim.network.set("through")
        return victim.name

    goes_on(cluster, disturb, f"{manner} network of a node")


def test_a_node_is_paused_and_goes_on(cluster):
    def disturb(crew):
        victim = chosen(cluster, "paused")
        pids = victim.processes()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        return victim.name

    goes_on(cluster, disturb, "node paused for long")


def test_the_database_of_all_nodes_is_killed(cluster):
    def disturb(crew):
        cluster.database.kill()
        time.sleep(1.0)
        cluster.database.start()
        return ""

    goes_on(cluster, disturb, "the database of all is killed")
