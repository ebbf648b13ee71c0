"""Killed at every write point, one by one, whatever was going on; also in a power cut.

Then no answer is without its record, no change without its record, no record twice, and the chain
holds. Promises: record-before-release, acknowledged-is-durable.
"""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kagimori.trail.verification import verify

EXAMPLES = int(os.environ.get("KAGIMORI_WRITE_POINT_EXAMPLES", "20"))
CUTS = (None, 0.0, 0.5, 0.97)
CALLS = ("CreateKey", "CreateAlias", "UpdateKeyDescription", "DescribeKey", "Encrypt", "Refused")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Lives:
    """Conversation with a process that lives lives."""

    def __init__(self):
        script = Path(__file__).parents[1] / "lives.py"
        self._process = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def live(self, data, batches, kill_at=None, cut=None, disk=None):
        life = {"data": str(data), "batches": batches, "kill_at": kill_at, "cut": cut}
        life["disk"] = disk or {}
        self._process.stdin.write(json.dumps(life) + "\n")
        self._process.stdin.flush()
        seen = json.loads(self._process.stdout.readline())
        assert seen["failed"] is None
        return seen

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
def seeded(lives, tmp_path_factory):
    """A folder with one key; its id."""
    folder = tmp_path_factory.mktemp("seeded")
    seen = lives.live(folder, [[["CreateKey", {"Description": "the first"}]]])
    return folder, seen["answers"][0]["body"]["KeyMetadata"]["KeyId"]


class World:
    """A deployment that is killed again and again, and what was seen of it."""

    def __init__(self, lives, seeded, folder):
        self.lives, self.data = lives, folder / "data"
        shutil.copytree(seeded[0], self.data)
        self.key, self.calls, self.answers = seeded[1], 0, []

    def call(self, operation):
        self.calls += 1
        members = {
            "CreateKey": {"Description": f"d{self.calls}"},
            "CreateAlias": {"AliasName": f"alias/a{self.calls}", "TargetKeyId": self.key},
            "UpdateKeyDescription": {"KeyId": self.key, "Description": f"u{self.calls}"},
            "DescribeKey": {"KeyId": self.key},
            "Encrypt": {"KeyId": self.key, "Plaintext": "eA=="},
            "DisableKey": {"KeyId": "00000000-0000-4000-8000-000000000000"},
        }
        operation = "DisableKey" if operation == "Refused" else operation
        return [operation, members[operation]]

    def live(self, batches, **others):
        batches = [[self.call(operation) for operation in batch] for batch in batches]
        seen = self.lives.live(self.data, batches, **others)
        self.answers += seen["answers"]
        if seen["killed"]:
            left = {finding.kind for finding in verify(self.data).findings}
            assert left <= {"unfinished line"}, left
        return seen

    def check(self):
        """Live once more, undisturbed; then hold all that is there to all that was answered."""
        assert not self.live([["DescribeKey"]])["killed"]
        held = verify(self.data)
        assert held.intact, held.findings
        records = self.records()
        assert max(Counter(record["eventID"] for record in records).values()) == 1
        by_request = Counter(record["requestID"] for record in records)
        assert max(by_request.values()) == 1
        known = {record["requestID"]: record for record in records}
        for answer in self.answers:
            record = known.get(answer["answered"])
            if record is None:  # the journal took no record: nothing was done
                assert answer["body"]["__type"] == "KMSInternalException"
                continue
            assert ("errorCode" in record) == (answer["status"] != 200)
        done = [record for record in records if "errorCode" not in record]
        assert self.changes_of(done) == self.changes_kept()

    def records(self):
        return [
            json.loads(line)["record"]
            for file in sorted((self.data / "audit" / "w0").glob("*.jsonl"))
            for line in file.read_bytes().splitlines()
        ]

    def changes_of(self, done):
        """What the records say was changed: keys made, aliases made, changes of the first key."""
        named = {
            name: [record["requestParameters"] for record in done if record["eventName"] == name]
            for name in ("CreateKey", "CreateAlias", "UpdateKeyDescription")
        }
        return (
            sorted(one["description"] for one in named["CreateKey"]),
            sorted(one["aliasName"] for one in named["CreateAlias"]),
            1 + len(named["UpdateKeyDescription"]),
        )

    def changes_kept(self):
        connection = sqlite3.connect(self.data / "kagimori.db")
        try:
            keys = connection.execute("SELECT body FROM kms_keys").fetchall()
            aliases = connection.execute("SELECT alias_name FROM aliases").fetchall()
            assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
        finally:
            connection.close()
        keys = [json.loads(body) for (body,) in keys]
        (first,) = [key for key in keys if key["key_id"] == self.key]
        descriptions = ["the first" if key is first else key.get("description", "") for key in keys]
        version = first.get("version", 1)
        return sorted(descriptions), sorted(name for (name,) in aliases), version


BATCH = [list(CALLS), ["UpdateKeyDescription", "UpdateKeyDescription", "Encrypt"]]


def test_killed_at_every_write_point_one_by_one(lives, seeded, tmp_path):
    whole = World(lives, seeded, tmp_path / "whole")
    points = whole.live(BATCH)["points"]
    whole.check()
    assert points > 100
    killed = 0
    for point in range(1, points + 1):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        world = World(lives, seeded, folder)
        killed += world.live(BATCH, kill_at=point, cut=CUTS[point % len(CUTS)])["killed"]
        world.check()
        shutil.rmtree(folder)
    assert killed > points * 0.9


def test_killed_again_while_it_recovers(lives, seeded, tmp_path):
    """The outbox has something to tell, and the one who tells it is killed as well."""
    for point in range(40, 90, 10):
        for again in range(1, 30, 4):
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            world = World(lives, seeded, folder)
            world.live(BATCH, kill_at=point, cut=0.0)
            world.live(BATCH, kill_at=again, cut=0.5)
            world.check()
            shutil.rmtree(folder)


@pytest.mark.parametrize("says", [errno.EIO, errno.ENOSPC, errno.EROFS, 0], ids=str)
def test_a_disk_that_refuses_and_comes_back(lives, seeded, tmp_path, says):
    """0: it does not answer. Nothing is done meanwhile that has no record; then all goes on."""
    world = World(lives, seeded, tmp_path)
    quiet, changes = ["Encrypt", "DescribeKey"], ["UpdateKeyDescription", "CreateAlias"]
    seen = world.live([quiet, [*quiet, *changes], quiet + changes], disk={"1": says})
    statuses = [answer["status"] for answer in seen["answers"]]
    assert statuses[:2] == [200, 200]
    during = {answer["status"]: answer["body"] for answer in seen["answers"][2:6]}
    assert during[500]["__type"] == "KMSInternalException"
    assert statuses[2:6].count(500) >= 2
    assert statuses[6:] == [200] * 4, "by itself"
    world.check()


BATCHES = st.lists(st.lists(st.sampled_from(CALLS), min_size=1, max_size=8), max_size=4)
LIFE = st.tuples(BATCHES, st.none() | st.integers(1, 250), st.sampled_from(CUTS))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=st.lists(LIFE, min_size=1, max_size=6))
def test_any_interleaving(lives, seeded, tmp_path, story):
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    world = World(lives, seeded, folder)
    for batches, kill_at, cut in story:
        world.live(batches, kill_at=kill_at, cut=cut)
    world.check()
    shutil.rmtree(folder)
