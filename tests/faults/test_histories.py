"""Concurrent clients on one node while its processes are killed: their history has an explanation.

Promises: acknowledged-is-durable, record-before-release.
"""

import os
import random
import signal
import sys
from collections import Counter

import pytest

import serving
from faults.test_kill import records_of
from faults.test_supervisor import deployed, serve
from histories.driven import LONG, SEED, explained, record, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


def one_record_for_each(data, history):
    request_ids = {one.request_id for one in history.requests if one.request_id}

    def found():
        return Counter(one.get("requestID") for one in records_of(data))

    # The record of a change is in the store until the disk lets the journal have it.
    serving.eventually(lambda: found().keys() >= request_ids, 30)
    counts = found()
    assert {counts[one] for one in request_ids} == {1}


def ready(server):
    serving.eventually(lambda: serving.get(server.url + "/readyz")[0] == 200, 60)


@pytest.mark.parametrize("victim", ["w1", "hsm", "trail"])
def test_a_process_killed_again_and_again(victim):
    chance = random.Random(f"{SEED}/history/{victim}")
    with deployed("--workers", "2") as (data, _, server):
        server.name = "n1"

        def disturb(_, crew):
            wait_for(crew, 40)
            for _ in range(3 * LONG):
                before = server.pids[victim]
                os.kill(before, signal.SIGKILL)
                wait_for(crew, chance.randint(5, 40))
                serving.eventually(
                    lambda old=before: server.pids.get(victim) not in (None, old), 30
                )
                wait_for(crew, 20)

        history = record([server], victim, disturb, settle=lambda: ready(server))
        explained(history)
        assert server.stop() == 0
        one_record_for_each(data, history)


def test_everything_killed_and_started_again():
    chance = random.Random(f"{SEED}/history/everything")
    with deployed("--workers", "2") as (data, made, server):
        servers = [server]

        class Node:
            """The node, whichever server it is at the moment."""

            name = "n1"

            def __getattr__(self, name):
                return getattr(servers[-1], name)

        def disturb(_, crew):
            for _ in range(2 * LONG):
                wait_for(crew, chance.randint(10, 60))
                servers[-1].kill()
                servers.append(serve(data, made, "--workers", "2"))
            wait_for(crew, 40)

        try:
            history = record([Node()], "everything", disturb)
            explained(history)
            assert servers[-1].stop() == 0
        finally:
            if servers[-1].process.poll() is None:
                servers[-1].kill()
        one_record_for_each(data, history)
