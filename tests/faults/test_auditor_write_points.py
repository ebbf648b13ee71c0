"""What reads the journals, killed at every write point: digests, delivery, events outward.

Digests go on by number and verify; each record is delivered and told of at least once; what a
digest names is there.
"""

import gzip
import json
import os
from pathlib import Path

import pytest

import trails
from contract.test_audit_machinery import ACCOUNT, arn, delivery, digester, event, write
from contract.test_notifier import World, rotated
from kagimori.trail.checkpoints import CheckpointFolder
from kagimori.trail.verification import verify


class Killed(BaseException):
    """No handler of ours catches it, as none runs when a process is killed."""


class WritePoints:
    """Counts writes, syncs, renames and openings of files, and ends all at one of them."""

    def __init__(self, monkeypatch):
        self.count, self.kill_at = 0, None
        for owner, name in (
            *((os, name) for name in ("open", "write", "fsync", "replace", "unlink")),
            *((Path, name) for name in ("replace", "unlink")),
        ):
            monkeypatch.setattr(owner, name, self.around(getattr(owner, name)))

    def around(self, real):
        def reached(*arguments, **others):
            self.reach()
            done = real(*arguments, **others)
            self.reach()
            return done

        return reached

    def reach(self):
        self.count += 1
        if self.count == self.kill_at:
            raise Killed

    def killed_at(self, point, life):
        """Live until the point is reached; return whether it was."""
        self.count, self.kill_at = 0, point
        try:
            life()
        except Killed:
            return True
        finally:
            self.kill_at = None
        return False


@pytest.fixture
def points():
    with pytest.MonkeyPatch.context() as patch:
        yield WritePoints(patch)


@pytest.fixture
def fresh(tmp_path):
    """A maker of audit folders."""
    numbers = iter(range(10_000))

    def make():
        folder = tmp_path / str(next(numbers)) / "audit"
        (folder / "w0").mkdir(parents=True)
        (folder / "public-key.pem").write_bytes(trails.PEM)
        return folder

    return make


def every_point(points, fresh, life, check):
    """Kill a life at each of its points, one by one, and check what is left of each."""
    point = 0
    killed = True
    while killed:
        point += 1
        audit = fresh()
        write(audit, map(event, range(20)))
        killed = points.killed_at(point, lambda a=audit: life(a))
        check(audit)
    assert point > 10


def test_digests(points, fresh):
    def life(audit):
        ours = digester(audit)
        ours._checkpoints = CheckpointFolder(audit.parent / "copies")
        for end in (7, 13, 20):
            ours.follow({"w0": end})
            ours.make()

    def check(audit):
        left = verify(audit)
        assert {finding.kind for finding in left.findings} <= {"removed digest"}
        assert left.digests == 0 or left.intact
        life(audit)
        copies = audit.parent / "copies"
        held = verify(audit, checkpoints=copies)
        assert held.intact, held.findings
        assert held.streams[0].signed_to == 20
        counted = [
            json.loads(file.read_bytes().split(b"\n")[0])["counts"]
            for file in sorted((audit / "digests").glob("*.json"))
        ]
        assert sum(one.get(arn(), {"Encrypt": [0, 0]})["Encrypt"][0] for one in counted) == 20

    every_point(points, fresh, life, check)


def test_delivery(points, fresh):
    def life(audit):
        ours = delivery(audit)
        ours._draw = os.urandom
        for end in (13, 20):
            ours.deliver({"w0": end})
            ours.digest()

    def check(audit):
        life(audit)
        bucket = audit.parent / "bucket"
        delivered = {
            record["eventID"]
            for file in bucket.rglob(f"{ACCOUNT}_CloudTrail_*.json.gz")
            for record in json.loads(gzip.decompress(file.read_bytes()))["Records"]
        }
        assert len(delivered) == 20
        named = set()
        for file in bucket.rglob("*-Digest_*.json.gz"):
            assert file.with_name(file.name + ".metadata.json").exists()
            for log in json.loads(gzip.decompress(file.read_bytes()))["logFiles"]:
                records = json.loads(gzip.decompress((bucket / log["s3Object"]).read_bytes()))
                named |= {record["eventID"] for record in records["Records"]}
        assert named == delivered

    every_point(points, fresh, life, check)


def test_events_outward(points, tmp_path):
    point, killed = 0, True
    while killed:
        point += 1
        world = World(tmp_path / str(point) / "audit")

        def life(world=world):
            notifier = world.notifier()
            for _ in range(3):
                world.write(rotated(world.link.sequence + 1))
                notifier.turn({})

        world.notifier()
        killed = points.killed_at(point, life)
        world.write(rotated(world.link.sequence + 1))
        world.notifier().turn({})
        ids = [notice["id"] for notice in world.taken]
        in_order = list(dict.fromkeys(ids))
        assert len(in_order) == world.link.sequence
    assert point > 3
