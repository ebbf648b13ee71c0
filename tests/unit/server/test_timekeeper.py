"""The timer's own manners: one key's trouble is not another's, and no duty acts on old memory."""

import asyncio

import pytest
from msgspec.structs import replace

from kagimori.hsm.client import HsmGone
from kagimori.pending import Pending
from kagimori.ports import StoreConflict, StoreFailed
from kagimori.rules.keys.kms_key import BackingKey, KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.server.timekeeper import Timekeeper
from kagimori_boundary.commands import ForgetMaterial

NOW = 1_000_000.0


def settled(value=None):
    pending = Pending()
    pending.settle(value)
    return pending


def failed(failure):
    pending = Pending()
    pending.fail(failure)
    return pending


class World:
    """Store, view, key holder, archive and telemetry, as far as the timer uses them."""

    def __init__(self, *key_ids):
        self.keys = {
            key_id: KmsKey(
                account_id="1" * 12,
                region="us-east-1",
                key_id=key_id,
                created_at=0.0,
                key_policy="{}",
                state=KeyState.PENDING_DELETION,
                deletion_at=NOW - 1,
            )
            for key_id in key_ids
        }
        self.poisoned, self.conflicts, self.hsm_gone = set(), {}, False
        self.commands, self.commit_fails, self.committed_before_commands = [], False, False
        self.fresh, self.refreshed = True, 0
        self.deleted, self.records, self.faults, self.troubles = [], [], [], []

    def due(self, table, now, limit):
        return settled([key for key in self.keys.values() if key.due_at <= now][:limit])

    def is_fresh(self):
        return self.fresh

    def refresh(self):
        self.fresh, self.refreshed = True, self.refreshed + 1
        return settled()

    def group(self, table, group, values):
        assert self.fresh
        if values[2] in self.poisoned:
            raise RuntimeError("a fault of ours")
        return ()

    def page(self, table, prefix, after, limit, group=None):
        return ()

    def one(self, table, key):
        return None

    def commit(self, writes, event_id, record):
        if self.commit_fails:
            return failed(StoreFailed("the disk is full"))
        (key,) = [write.entity for write in writes if isinstance(write.entity, KmsKey)]
        if self.conflicts.get(key.key_id, 0) > 0:
            self.conflicts[key.key_id] -= 1
            return failed(StoreConflict())
        del self.keys[key.key_id]
        self.deleted.append(key.key_id)
        return settled()

    def perform(self, ask):
        command = ask.command
        self.commands.append(command)
        self.committed_before_commands = bool(self.deleted)
        return failed(HsmGone()) if self.hsm_gone else settled()

    def check(self):
        pass

    def append_committed(self, event_id, record):
        self.records.append(record)
        return settled()

    def fault(self, problem):
        self.faults.append(problem)

    def trouble(self, *what):
        self.troubles.append(what)

    def turn(self):
        self.turns_at([0.0])

    def turns_at(self, times):
        """Take turns of one timer at these seconds; return how many faults there were by then."""

        async def take():
            timekeeper = Timekeeper(
                view=self,
                store=self,
                key_holder=self,
                archive=self,
                now=lambda: NOW,
                draw=lambda: "event",
                telemetry=self,
                monotonic=lambda: self.seconds,
            )
            faults = []
            for self.seconds in times:
                await asyncio.wait_for(timekeeper.turn(), 10)
                faults.append(len(self.faults))
            return faults

        return asyncio.run(take())


def test_all_that_is_due_is_done_with_a_record_each():
    world = World(*(f"key{n}" for n in range(250)))
    world.turn()
    assert world.keys == {}
    assert len(world.records) == 250
    assert not world.faults


@pytest.mark.parametrize("poisoned", [{"a"}, {"c"}, {"a", "b"}])
def test_fault_with_one_key_does_not_stop_the_others(poisoned):
    world = World("a", "b", "c")
    world.poisoned = poisoned
    world.turn()
    assert set(world.keys) == poisoned
    assert len(world.faults) >= len(poisoned)


def test_many_keys_that_always_fail_do_not_starve_the_others():
    """They are the longest due, and more than are looked at together."""
    bad = [f"bad{n}" for n in range(250)]
    world = World(*bad, "good")
    world.poisoned = set(bad)
    world.turn()
    assert world.deleted == ["good"]
    assert len(world.faults) == len(bad)


def test_key_that_fails_is_put_off_and_longer_each_time():
    world = World("bad")
    world.poisoned = {"bad"}
    tried = world.turns_at([0.0, 0.5, 1.1, 2.0, 3.2, 5.0, 7.3])
    assert tried == [1, 1, 2, 2, 3, 3, 4]
    world.poisoned = set()
    assert world.turns_at([0.0]) == [4]
    assert world.deleted == ["bad"]


def test_hsm_that_goes_at_one_key_lets_the_next_be_first():
    world = World("a", "b")
    for key_id in world.keys:
        world.keys[key_id] = replace(
            world.keys[key_id], state=KeyState.ENABLED, deletion_at=None, rotation_period_days=90,
            rotation_next_at=NOW - 1,
        )  # fmt: skip
    world.hsm_gone = True
    world.turns_at([0.0, 0.1])
    assert [command.key_id for command in world.commands] == ["a", "b"]


def test_hsm_forgets_only_what_is_committed_as_lost():
    lost = BackingKey(material_id="ab" * 32, key_token=b"token", created_at=0.0)
    world = World("a")
    world.keys["a"] = replace(
        world.keys["a"], backing_keys=(lost,), current_material_id=lost.material_id
    )
    world.commit_fails = True
    world.turn()
    assert not world.commands
    world.commit_fails = False
    world.turn()
    assert world.commands == [ForgetMaterial([bytes.fromhex(lost.material_id)], [b"token"])]
    assert world.committed_before_commands


def test_conflict_is_looked_at_again():
    world = World("a", "b")
    world.conflicts = {"a": 2}
    world.turn()
    assert sorted(world.deleted) == ["a", "b"]


def test_what_others_changed_is_taken_in_first():
    world = World("a")
    world.fresh = False
    world.turn()
    assert world.refreshed == 1
    assert world.deleted == ["a"]


def test_without_an_hsm_nothing_is_done_and_it_is_said():
    world = World("a")
    world.keys["a"] = KmsKey(
        account_id="1" * 12,
        region="us-east-1",
        key_id="a",
        created_at=0.0,
        key_policy="{}",
        rotation_period_days=90,
        rotation_next_at=NOW - 1,
    )
    world.hsm_gone = True
    world.turn()
    assert world.keys
    assert len(world.troubles) == 1
