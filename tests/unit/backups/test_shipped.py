"""Journals shipped beside a backup: a restore has the trail up to what was shipped, and no further."""

import json
import shutil
from pathlib import Path

import pytest

from contract.test_audit_machinery import event
from kagimori.backups.drilling import drill
from kagimori.backups.journals import take_in
from kagimori.backups.making import back_up
from kagimori.backups.own_hsm import own_backup_key
from kagimori.backups.proving import prove
from kagimori.backups.restoring import restore
from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.init import initialise
from kagimori.deployment.node import node_id
from kagimori.deployment.opened import opened
from kagimori.deployment.shipping_key import shipping_key
from kagimori.machinery.store.admin import open_store
from kagimori.rules.chain.chain import START
from kagimori.rules.nodes.shipped import folder_of, part_of, sealed, unsealed
from kagimori.trail import bucket_calls
from kagimori.trail.receiving import NotTaken
from kagimori.trail.shelves import FolderShelf, shelf_at
from kagimori.trail.shipping import STATE_NAME, ShippingFollower, shipped_up_to
from kagimori.trail.source import Source
from kagimori.trail.streams import known_streams, register_node
from kit import bucket as buckets
from trails import journal


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A deployment with one worker's stream, and its root elsewhere."""
    folder = tmp_path_factory.mktemp("original")
    initialise(folder / "data")
    shutil.copy(folder / "data" / "seal.key", folder / "seal.key")
    with opened(folder / "data") as deployment:
        register_node(deployment, 1, signs=False)
    return folder


class World:
    """A deployment whose worker writes, and the place of its backups."""

    def __init__(self, folder, kept):
        self.data, self.root, self.kept = folder / "data", folder / "seal.key", kept
        self.layout = Layout(self.data)
        self.stream = f"{node_id(self.layout)}-w0"
        self.link, self.number = START, 0
        (self.layout.audit / self.stream).mkdir(parents=True)

    def write(self, count, stream=None):
        """Write records as a worker does, into a file of their own."""
        records = [event(self.number + number) for number in range(count)]
        self.number += count
        files, self.link = journal(records, count, self.link)
        for name, content in files.items():
            (self.layout.audit / (stream or self.stream) / name).write_bytes(content)

    def follower(self, shelf=None, place=None):
        place = str(place or self.kept)
        return ShippingFollower(
            Source(self.layout.audit),
            place=place,
            shelf=lambda: shelf or FolderShelf(Path(place)),
            key=lambda: shipping_key(self.layout),
            seconds=0.0,
            draw=bytes,
        )

    def ship(self):
        self.follower().turn(stopping=True)

    def back_up(self, to=None):
        ask = lambda *asked: own_backup_key(self.data, *asked)  # noqa: E731
        return back_up(self.data, to or self.kept, ask)

    def lines(self, data=None):
        folder = (data or self.data) / "audit" / self.stream
        return b"".join(file.read_bytes() for file in sorted(folder.glob("*.jsonl")))

    @property
    def parts(self):
        return sorted(path for path in (self.kept / "journals").rglob("*-*") if path.is_file())


@pytest.fixture
def world(original, tmp_path):
    shutil.copytree(original, tmp_path / "original")
    (tmp_path / "kept").mkdir()
    return World(tmp_path / "original", tmp_path / "kept")


def test_a_restore_has_the_trail_up_to_what_was_shipped(world, tmp_path):
    world.write(5)
    world.ship()
    base = world.back_up()
    for count in (3, 4):
        world.write(count)
        world.ship()
    world.write(2)  # acknowledged, and not shipped yet
    restored = restore(base.path, tmp_path / "new", world.root)
    assert restored.shipped.records == 7
    assert restored.shipped.findings == ()
    assert world.lines().startswith(world.lines(tmp_path / "new"))
    assert world.lines(tmp_path / "new").count(b"\n") == 12
    assert restored.newest_record_at == 1_790_000_000 + 11
    proof = prove(world.kept, world.root)
    assert proof.works, proof.findings
    assert proof.records == 12
    assert proof.shipped_records == 7
    assert proof.record_age_seconds is not None
    assert {"unpack", "journals", "settle", "tokens", "known text", "trail"} <= proof.stages.keys()


def test_a_drill_measures_what_is_lost_and_how_long_it_takes(world):
    world.write(5)
    world.ship()
    found = drill(
        world.data, world.root, lambda *asked: own_backup_key(world.data, *asked), world.kept
    )
    assert found.works
    assert found.records_missing == 0
    assert found.change_age_seconds >= 0
    assert found.recovery_seconds > 0
    assert found.back_up_mb_per_second > 0
    assert found.restore_mb_per_second > 0
    assert list(found.stages)[:2] == ["back up", "unpack"]
    assert Path(found.backup).parent == world.kept
    missing = drill(world.data, world.root, lambda *asked: own_backup_key(world.data, *asked))
    assert missing.works
    assert not Path(missing.backup).exists()


def test_streams_that_began_after_the_backup_are_known_afterwards(world, tmp_path):
    base = world.back_up()
    later = world.stream.replace("w0", "w1")
    (world.layout.audit / later).mkdir()
    world.write(3, later)
    world.ship()
    restored = restore(base.path, tmp_path / "new", world.root)
    assert restored.shipped.records == 3
    with open_store(tmp_path / "new" / "kagimori.db", ()) as store:
        assert known_streams(store)[later] is False
    proof = prove(world.kept, world.root)
    assert proof.works, proof.findings


# --- what is not believed -------------------------------------------------------------------------


def altered(content):
    return content[:-1] + bytes((content[-1] ^ 1,))


@pytest.mark.parametrize("what", ["altered", "cut", "empty", "gone", "swapped", "older"])
def test_what_somebody_did_to_a_part_ends_the_trail_there(world, tmp_path, what):
    base = world.back_up()
    for _ in range(3):
        world.write(4)
        world.ship()
    first, second, third = world.parts
    content = second.read_bytes()
    match what:
        case "altered":
            second.write_bytes(altered(content))
        case "cut":
            second.write_bytes(content[:-20])
        case "empty":
            second.write_bytes(b"")
        case "gone":
            second.unlink()
        case "swapped":
            second.write_bytes(third.read_bytes())
            third.write_bytes(content)
        case "older":
            second.write_bytes(first.read_bytes())
    restored = restore(base.path, tmp_path / "new", world.root)
    (finding,) = restored.shipped.findings
    assert world.stream in finding
    assert world.lines(tmp_path / "new") == b"".join(world.lines().splitlines(keepends=True)[:4])
    proof = prove(base.path, world.root)
    assert not proof.works
    assert finding in proof.findings


def test_a_stream_whose_beginning_is_gone_is_said(world, tmp_path):
    base = world.back_up()
    for _ in range(2):
        world.write(4)
        world.ship()
    world.parts[0].unlink()
    restored = restore(base.path, tmp_path / "new", world.root)
    assert "what comes before record 5 is missing" in restored.shipped.findings[0]


def test_parts_of_another_key_and_other_names_are_passed_by(world, tmp_path):
    base = world.back_up()
    world.write(4)
    world.ship()
    (part,) = world.parts
    for name in ("../../x", "x", f"{part.name}.new", "w0/1-2"):
        assert part_of(f"{folder_of(shipping_key(world.layout))}{name}", bytes(32)) is None
    (part.parent / ".part.new").write_bytes(b"half")
    shutil.copytree(part.parent.parent, part.parent.parent.with_name("0" * 32))
    restored = restore(base.path, tmp_path / "new", world.root)
    assert (restored.shipped.records, restored.shipped.findings) == (4, ())


def test_a_part_opens_with_its_key_and_under_its_name_alone(world):
    world.write(2)
    world.ship()
    key, (part,) = shipping_key(world.layout), world.parts
    name = part.relative_to(world.kept).as_posix()
    block = unsealed(key, name, part.read_bytes())
    assert event(0) not in part.read_bytes()
    assert sealed(key, block, bytes(12)) == part.read_bytes()
    for wrong in ((bytes(32), name), (key, name.replace("w0", "w1"))):
        with pytest.raises(ValueError, match="altered"):
            unsealed(*wrong, part.read_bytes())


def test_a_backup_from_before_the_key_has_no_shipped_trail(world):
    assert take_in(world.kept, b"", world.layout).records == 0


# --- shipping -------------------------------------------------------------------------------------


def test_shipping_goes_on_where_it_was_and_begins_anew_elsewhere(world, tmp_path):
    world.write(3)
    world.ship()
    world.write(2)
    world.ship()
    assert len(world.parts) == 2
    assert shipped_up_to(world.layout.audit) == {world.stream: 5}
    (tmp_path / "elsewhere").mkdir()
    world.follower(place=tmp_path / "elsewhere").turn(stopping=True)
    assert len(list((tmp_path / "elsewhere").rglob("*-*"))) >= 2


def test_one_that_ends_before_it_noted_ships_again_under_the_same_name(world):
    world.write(3)
    world.ship()
    before = world.parts
    (world.layout.audit / STATE_NAME).unlink()
    world.ship()
    assert world.parts == before


def test_a_place_that_refuses_is_tried_again_and_nothing_is_skipped(world, tmp_path):
    class Refusing(FolderShelf):
        def put(self, name, content):
            if not tries.pop():
                raise NotTaken("not now")
            super().put(name, content)

    base, tries = world.back_up(), [True, True, False]
    world.write(3)
    follower = world.follower(Refusing(world.kept))
    with pytest.raises(NotTaken):
        follower.turn(stopping=True)
    world.write(2)
    follower.turn(stopping=True)
    assert restore(base.path, tmp_path / "new", world.root).shipped.records == 5


def test_a_stream_that_does_not_go_on_stands_still_and_the_others_do_not(world):
    follower = world.follower()
    world.write(3)
    follower.turn(stopping=True)
    (world.layout.audit / world.stream).joinpath(f"{1:020}.jsonl").write_bytes(b"{}\n" * 50)
    other = world.stream.replace("w0", "w1")
    (world.layout.audit / other).mkdir()
    world.link = START
    world.write(2, other)
    world.write(1)
    follower.turn(stopping=True)
    assert "nothing more of a stream is shipped" in follower.standing()
    assert shipped_up_to(world.layout.audit)[other] == 2


def test_the_trail_goes_to_a_bucket_and_comes_from_one(world, tmp_path, monkeypatch):
    monkeypatch.setattr(bucket_calls, "PAUSE_SECONDS", 0.0)
    with buckets.served() as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        place = "s3://kept/of"
        base = world.back_up(place)
        follower = world.follower(shelf_at(place, bucket.environment), place)
        for _ in range(5):
            world.write(2)
            bucket.faults["PUT"] = [503]
            follower.turn(stopping=True)
        assert restore(base.path, tmp_path / "new", world.root).shipped.records == 10
        bucket.faults["GET"] = [None, None, *[403] * 50]
        with pytest.raises(Unusable, match="shipped journals cannot be read"):
            restore(base.path, tmp_path / "other", world.root)
        assert not (tmp_path / "other").exists()


def test_the_key_is_made_once_and_is_its_owners_alone(world):
    key = shipping_key(world.layout)
    assert shipping_key(world.layout) == key
    assert world.layout.shipping_key.stat().st_mode & 0o077 == 0
    world.layout.shipping_key.write_text("x")
    with pytest.raises(Unusable, match="does not hold 32 bytes"):
        shipping_key(world.layout)
    with pytest.raises(Unusable, match="does not hold 32 bytes"):
        world.back_up()


def test_a_state_that_is_none_begins_from_the_beginning(world):
    (world.layout.audit / STATE_NAME).write_text("{")
    assert shipped_up_to(world.layout.audit) == {}
    (world.layout.audit / STATE_NAME).write_text(json.dumps({"to": "x", "places": {}}))
    world.write(1)
    world.ship()
    assert len(world.parts) == 1
