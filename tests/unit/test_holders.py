"""Each command goes to the holder of its key, and to no other."""

import pytest

from kagimori.hsm.client import HsmGone
from kagimori.hsm.holders import Holders
from kagimori.pending import Pending
from kagimori.ports import Ask
from kagimori_boundary.commands import GenerateRandom
from kagimori_boundary.replies import Bytes


class Named:
    def __init__(self, name):
        self.name, self.asked = name, []

    def perform(self, command):
        self.asked.append(command)
        pending = Pending()
        pending.settle(Bytes(self.name))
        return pending


@pytest.fixture
def holders():
    return Holders(Named(b"own"), {"cks-1": Named(b"one"), "cks-2": Named(b"two")})


@pytest.mark.parametrize(
    ("key_store_id", "name"), [(None, b"own"), ("cks-1", b"one"), ("cks-2", b"two")]
)
def test_a_command_goes_to_the_holder_of_its_key(holders, key_store_id, name):
    command = GenerateRandom(1)
    assert holders.perform(Ask(key_store_id, command)).result() == Bytes(name)
    asked = [holders._own, *holders._key_stores.values()]
    assert [one.asked for one in asked if one.asked] == [[command]]


def test_a_key_store_that_is_not_connected_does_not_become_our_own(holders):
    with pytest.raises(HsmGone, match="cks-9"):
        holders.perform(Ask("cks-9", GenerateRandom(1))).result()
    assert not holders._own.asked
