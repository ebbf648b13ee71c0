"""Domain keys killed before each statement of rotation, rewrap, closing and destruction.

Then every key and every other token opens, nothing is left half done, and the keeper goes on from
there. Promises: old-ciphertext-lives, acknowledged-is-durable.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from domain_crashes import Life, begin
from domain_world import DAY, facts_of
from kagimori.entities.stored_tokens import tokens_of
from kagimori.entities.tables import TOKEN_TABLES
from kagimori_boundary.token_form import domain_key_id

STEP = 1 if "KAGIMORI_NIGHTLY" in os.environ else 7  # so that each kind of statement is met
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks a process for each life")


class Lives:
    def __init__(self):
        script = Path(__file__).parents[1] / "domain_crashes.py"
        self._process = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def live(self, folder, kill_at):
        self._process.stdin.write(json.dumps({"folder": str(folder), "kill_at": kill_at}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def lives():
    them = Lives()
    yield them
    them.close()


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("domains")
    asyncio.run(begin(folder))
    return folder


async def check(folder):
    """Start everything anew: all that was kept is usable, now and when the old keys are gone."""
    world = Life(folder).remember()
    try:
        world.restart_hsm()
        first = facts_of(world.kept()).states.keys()
        world.check_all_usable()
        world.now += 30 * DAY
        await world.settle(12)
        world.check_all_usable()
        for _ in range(4):
            world.now += DAY
            await world.settle(12)
        world.check_all_usable()
        assert not first & facts_of(world.kept()).states.keys()
        found = {
            domain_key_id(token).hex()
            for table in TOKEN_TABLES
            for entity in world.all(table)
            for token in tokens_of(entity)
        }
        assert found <= facts_of(world.kept()).current
    finally:
        world.close()


def test_killed_before_each_statement(lives, seeded, tmp_path):
    whole = shutil.copytree(seeded, tmp_path / "whole")
    seen = lives.live(whole, None)
    assert not seen["killed"]
    asyncio.run(check(whole))
    assert seen["statements"] > 100
    killed = 0
    for point in range(1, seen["statements"] + 1, STEP):
        folder = shutil.copytree(seeded, tmp_path / "one")
        killed += lives.live(folder, point)["killed"]
        asyncio.run(check(folder))
        shutil.rmtree(folder)
    assert killed >= seen["statements"] // STEP
