"""Domain keys that are destroyed without rest: nothing stored is lost, wherever a crash comes."""

import asyncio

import pytest

from domain_world import ACCOUNT, DAY, REGIONS, DomainWorld
from kagimori.entities.tables import DOMAINS
from kagimori.operations.kagimori.actions import writes_of
from kagimori.ports import Put
from kagimori.rules.keys.domains import succeeded
from kagimori_boundary import commands
from kagimori_boundary.commands import AccessKeyProof
from kagimori_boundary.commands.approvals import DESTROY_DOMAIN_KEYS, DOMAIN_KEY_IDS
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import SealedDomains


class ByHand:
    """A deployment whose administrator has retired domain keys destroyed."""

    def __init__(self, folder):
        self.world = DomainWorld(folder, rotation_hours=0)

    async def begin(self):
        world = await self.world.begin()
        named = world.operator(commands.CreateDomains([], ACCOUNT))
        await self._keep(named)
        await world.make_one_of_each()
        rotated = world.worker(
            commands.RotateDomainKeys(world.kept().sealed, list(REGIONS), world.now)
        )
        self.old = world.kept().current_ids
        await self._keep(rotated)
        self.old = [key.key_id for key in world.kept().stale]
        return self

    async def _keep(self, reply):
        assert isinstance(reply, SealedDomains), reply
        kept = self.world.kept()
        await self.world.commit(
            Put(DOMAINS, succeeded(kept, reply.sealed_domains, reply.keys), kept)
        )

    async def order(self):
        world = self.world
        secret = world.operator(commands.CreateSecret(ACCOUNT, "AKIA", ROOT_HOLDER))
        proof = AccessKeyProof(ACCOUNT, "AKIA", ROOT_HOLDER, secret.sealed_secret)
        parameters = {DOMAIN_KEY_IDS: ",".join(self.old)}
        kept = world.kept()
        reply = world.worker(
            commands.PerformAlone(kept.sealed, DESTROY_DOMAIN_KEYS, parameters, world.now, proof)
        )
        assert isinstance(reply, SealedDomains), reply
        writes = writes_of(DESTROY_DOMAIN_KEYS, parameters, kept, reply, world.now)
        await world.commit(*writes)

    def gone(self):
        return not {key.key_id for key in self.world.kept().keys} & set(self.old)


def run(folder, story):
    async def whole():
        deployment = await ByHand(folder).begin()
        try:
            await story(deployment)
        finally:
            deployment.world.close()

    asyncio.run(whole())


def test_what_is_stored_is_wrapped_anew_before_the_key_goes(tmp_path):
    async def story(deployment):
        world = deployment.world
        world.adopt()
        await world.settle()
        assert not deployment.gone(), "it rests"
        await deployment.order()
        await world.settle()
        assert deployment.gone()
        assert world.records[-1] == "DestroyDomainKey"
        world.check_all_usable()

    run(tmp_path, story)


def test_an_order_right_after_the_rotation_waits_for_its_adoption(tmp_path):
    async def story(deployment):
        world = deployment.world
        await deployment.order()
        for _ in range(5):
            await world.turn()
            assert not deployment.gone(), "the HSM does not know the newest rings yet"
        await world.settle()
        assert deployment.gone()
        world.check_all_usable()

    run(tmp_path, story)


@pytest.mark.parametrize("end", ["restart_hsm", "restart_worker", "both"])
@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize("adopts", [True, False])
def test_a_crash_at_any_step_loses_nothing(tmp_path, turns, end, adopts):
    async def story(deployment):
        world = deployment.world
        await deployment.order()
        for _ in range(turns):
            await world.turn()
            if adopts:
                world.adopt()
        for name in ("restart_hsm", "restart_worker") if end == "both" else (end,):
            getattr(world, name)()
        world.check_all_usable()
        await world.settle()
        assert deployment.gone()
        world.check_all_usable()
        world.now += 10 * DAY
        await world.settle()
        world.check_all_usable()

    run(tmp_path, story)
