"""The witness: what a node has seen of the store, shared by its workers."""

import pytest

from kagimori.machinery.store.witness import Witness, WitnessUnusable, remove_witness
from kagimori.rules.integrity.buckets import Place

SPACES = ("accounts", "grants")


def test_versions_only_grow_and_are_seen_by_every_worker(tmp_path):
    one = Witness(tmp_path / "witness", SPACES)
    two = Witness(tmp_path / "witness", SPACES)
    place = Place("grants", 65_535)
    assert one.seen(place) == 0
    one.saw(place, 7)
    assert two.seen(place) == 7
    two.saw(place, 5)
    assert one.seen(place) == 7
    assert one.seen(Place("accounts", 65_535)) == one.seen(Place("grants", 0)) == 0
    one.close()
    two.close()


def test_a_new_space_is_added_and_the_others_stay(tmp_path):
    before = Witness(tmp_path / "witness", SPACES)
    before.saw(Place("grants", 3), 9)
    after = Witness(tmp_path / "witness", ("approvals", *SPACES))
    assert after.seen(Place("grants", 3)) == 9
    after.saw(Place("approvals", 3), 1)
    assert before.seen(Place("grants", 3)) == 9
    before.close()
    after.close()


def test_it_takes_room_for_what_was_seen_alone(tmp_path):
    witness = Witness(tmp_path / "witness", [f"space {number}" for number in range(60)])
    witness.saw(Place("space 59", 1), 1)
    witness.close()
    found = (tmp_path / "witness").stat()
    assert found.st_blocks * 512 < 200_000
    assert found.st_mode & 0o777 == 0o600


def test_something_else_is_no_witness(tmp_path):
    (tmp_path / "witness").write_bytes(b"something else")
    with pytest.raises(WitnessUnusable):
        Witness(tmp_path / "witness", SPACES)


def test_it_can_be_forgotten(tmp_path):
    witness = Witness(tmp_path / "witness", SPACES)
    witness.saw(Place("grants", 3), 9)
    witness.close()
    remove_witness(tmp_path / "witness")
    remove_witness(tmp_path / "witness")
    again = Witness(tmp_path / "witness", SPACES)
    assert again.seen(Place("grants", 3)) == 0
    again.close()
