"""A change of the seals is kept with its record, by a worker; attempts are recorded once each."""

import asyncio

import pytest

from domain_world import ACCOUNT, REGIONS, DomainWorld, Quiet
from kagimori.machinery.telemetry import Telemetry
from kagimori.server.seal_keeper import SealKeeper
from kagimori.trail.keeper import Keeper
from kagimori_boundary import commands
from kagimori_boundary.commands import Role
from kagimori_boundary.replies import HsmState
from kagimori_boundary.seals import seals_in
from kagimori_hsm.roots import secrets

PASSPHRASE = b"correct horse battery staple"


@pytest.fixture(autouse=True)
def fast_passphrases(monkeypatch):
    monkeypatch.setattr(secrets, "_MEMORY_KIB", 64)


class SealWorld(DomainWorld):
    """With a keeper of seals, and a custodian."""

    def _open(self):
        super()._open()
        telemetry = Telemetry(services=("kms",), log=Quiet())
        self.seal_keeper = SealKeeper(
            view=self.store.view,
            store=self.store,
            key_holder=self,
            keeper=Keeper(self.store, self, self, telemetry),
            now=lambda: self.now,
            draw=self._draw,
            telemetry=telemetry,
            account_id=ACCOUNT,
            region=REGIONS[0],
        )

    def take(self, record):
        return self.append_committed("", record)

    def custodian(self, command):
        return self.hsm.perform(Role.CUSTODIAN, command)

    def kinds(self):
        return [seal.kind for seal in seals_in(self.kept().sealed)]

    def add_passphrase(self):
        return self.custodian(commands.AddSeal("passphrase", "vault", {}, PASSPHRASE))


def in_world(story):
    def run(tmp_path):
        async def told():
            world = await SealWorld(tmp_path).begin()
            await story(world)
            world.store.close()

        asyncio.run(told())

    return run


@in_world
async def test_a_seal_is_added_and_removed_each_with_one_record(world):
    added = world.add_passphrase()
    await world.seal_keeper.turn()
    world.adopt()
    await world.seal_keeper.turn()
    assert world.kinds() == ["file", "passphrase"]
    assert world.records == ["AddSeal"]
    facts = {"sealId": added.seal_id, "kind": "passphrase", "label": "vault"}
    assert world.details == [facts]
    first = {key.key_id for key in world.kept().keys}
    world.custodian(commands.RemoveSeal(added.seal_id))
    await world.seal_keeper.turn()
    world.adopt()
    assert world.kinds() == ["file"]
    assert world.records == ["AddSeal", "RemoveSeal"]
    # The domains have new keys, and the keeper of domain keys knows which.
    assert {key.key_id for key in world.kept().keys} > first
    await world.settle()
    world.restart_hsm()


@in_world
async def test_a_worker_that_ends_before_it_has_kept_a_change_leaves_it_to_the_next(world):
    world.add_passphrase()
    world.restart_worker()
    await world.seal_keeper.turn()
    assert world.kinds() == ["file", "passphrase"]


@in_world
async def test_an_hsm_that_ends_between_commit_and_adoption_opens_what_is_kept(world):
    world.add_passphrase()
    await world.seal_keeper.turn()
    world.restart_hsm()
    world.custodian(commands.RemoveSeal(seals_in(world.kept().sealed)[1].seal_id))
    await world.seal_keeper.turn()
    world.restart_hsm()
    assert world.kinds() == ["file"]
    await world.settle()


@in_world
async def test_attempts_are_recorded_once_each(world):
    added = world.add_passphrase()
    await world.seal_keeper.turn()
    world.adopt()
    world.custodian(commands.TestSeal(added.seal_id, b"a wrong passphrase"))
    await world.seal_keeper.turn()
    await world.seal_keeper.turn()
    assert world.records == ["AddSeal", "TestSeal"]
    details = {"sealId": added.seal_id, "kind": "passphrase", "result": "WRONG"}
    assert world.details[-1] == details


@in_world
async def test_attempts_on_a_sealed_hsm_are_recorded(world):
    added = world.add_passphrase()
    await world.seal_keeper.turn()
    world.adopt()
    world.custodian(commands.RemoveSeal(seals_in(world.kept().sealed)[0].seal_id))
    await world.seal_keeper.turn()
    world.hsm = world._module()
    assert world.operator(commands.Unseal(world.kept().sealed)).state is HsmState.SEALED
    world.custodian(commands.OpenSeal(added.seal_id, PASSPHRASE))
    await world.seal_keeper.turn()
    assert world.records[-1] == "UnsealDomains"
    assert world.details[-1]["result"] == "OK"
