"""Digests while everything is killed: they go on by number, and verify at every moment.

Promises: record-before-release.
"""

import json
import os
import random
import signal
import sys

import pytest

import serving
from faults.test_kill import SEED, wait_for_answers
from faults.test_supervisor import answered, deployed, loaded, processes_of, serve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

DIGESTS = ("--digest-minutes", "0.005", "--workers", "2")


def verified(data):
    done = serving.run("audit", "verify", "--data", data, "--output", "json")
    found = json.loads(done.stdout)
    assert found["intact"], found["findings"]
    return found


def more_digests(data, than):
    serving.eventually(lambda: verified(data)["digests"] > than, 40)
    return verified(data)["digests"]


@pytest.mark.parametrize("victim", ["w1", "hsm"])
def test_digests_go_on_after_a_part_was_replaced(victim):
    chance = random.Random(f"{SEED}/digests/{victim}")
    with deployed(*DIGESTS) as (data, _, server):
        with loaded(server, "d") as crew:
            wait_for_answers(crew, chance.randint(5, 60))
            old = server.pids[victim]
            os.kill(old, signal.SIGKILL)
            before = verified(data)["digests"]
            serving.eventually(lambda: server.pids.get(victim) not in (None, old), 30)
            wait_for_answers(crew, answered(crew) + 5)
            more_digests(data, before)
        assert server.stop() == 0
        signed_to_the_end(data)


@pytest.mark.parametrize("victim", ["supervisor", "everything"])
def test_digests_go_on_with_the_next_server(victim):
    chance = random.Random(f"{SEED}/digests/{victim}")
    with deployed(*DIGESTS) as (data, made, first):
        server = first
        try:
            for number in range(2):
                before = digested_until_killed(server, victim, chance, f"d{number}")
                left = serving.run("audit", "verify", "--data", data, "--output", "json")
                kinds = {found["kind"] for found in json.loads(left.stdout)["findings"]}
                assert kinds <= {"unfinished line"}
                server = serve(data, made, *DIGESTS)
                more_digests(data, before)
            assert server.stop() == 0
            signed_to_the_end(data)
        finally:
            if server.process.poll() is None:
                server.kill()


def digested_until_killed(server, victim, chance, name):
    """Return how many digests there were when it was killed, under load."""
    with loaded(server, name) as crew:
        wait_for_answers(crew, chance.randint(5, 60))
        before = more_digests(server.data, verified(server.data)["digests"])
        if victim == "everything":
            server.kill()
        else:
            server.process.kill()
            server.process.wait(10)
            serving.eventually(lambda: not processes_of(server.data), 30)
        return before


def signed_to_the_end(data):
    found = verified(data)
    assert all(stream["signed_to"] == stream["newest_sequence"] for stream in found["streams"])
    numbers = [int(file.stem) for file in sorted((data / "audit" / "digests").glob("*.json"))]
    assert numbers == list(range(1, found["digests"] + 1))
