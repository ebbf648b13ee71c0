"""A change that others came before is decided anew, and asks the HSM for nothing twice."""

import asyncio
import importlib
import json
import sys
from pathlib import Path

import pytest

from kagimori.hsm.holders import Holders
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.turns import Turn
from kagimori.pending import Pending
from kagimori.ports import StoreConflict, TokenOutdated

sys.path.append(str(Path(__file__).parents[2] / "bench"))
walk = importlib.import_module("walk")


@pytest.fixture
def asked(monkeypatch):
    """Collect what the HSM is asked by the operations."""
    commands = []
    perform = Holders.perform

    def counted(self, ask):
        commands.append(ask.command)
        return perform(self, ask)

    monkeypatch.setattr(Holders, "perform", counted)
    return commands


@pytest.fixture
def losing(monkeypatch):
    """Let commits fail, one for each failure in the list."""
    failures = []
    commit = WorkerStore.commit

    def lost(self, writes, event_id, record):
        if not failures:
            return commit(self, writes, event_id, record)
        failed = Pending()
        failed.fail(failures.pop())
        return failed

    monkeypatch.setattr(WorkerStore, "commit", lost)
    return failures


def answered(tmp_path, before, make, losing, asked):
    """Return the answer to the request that `make` signs, while commits fail, and its commands."""

    async def go():
        world = walk.World(tmp_path)
        await world.populate()
        await world.answer(world.signer.kms("ListKeys"))
        losing.extend(before)
        asked.clear()
        try:
            return await world.answer(make(world.signer)), list(asked)
        finally:
            await world.close()

    return asyncio.run(asyncio.wait_for(go(), 30))


@pytest.mark.parametrize(
    ("before", "times"),
    [
        ((), 1),
        ((StoreConflict(), StoreConflict()), 1),
        # What was made under a key that has been closed since must be made under the current one.
        ((TokenOutdated(),), 2),
    ],
)
def test_an_rsa_key_is_generated_once_however_often_it_is_decided(
    tmp_path, losing, asked, before, times
):
    def make(signer):
        return signer.kms("CreateKey", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")

    answer, commands = answered(tmp_path, before, make, losing, asked)
    made = json.loads(walk.body_of(answer))["KeyMetadata"]
    assert [type(command).__name__ for command in commands] == ["GenerateKey"] * times
    assert {command.key_id for command in commands} == {made["KeyId"]}


@pytest.mark.parametrize(
    ("make", "status", "code"),
    [
        (lambda signer: signer.iam("CreateGroup", GroupName="g"), 409, b"ConcurrentModification"),
        (lambda signer: signer.kms("CreateKey"), 400, b"ThrottlingException"),
    ],
)
def test_who_has_lost_for_too_long_is_refused_as_by_aws(
    tmp_path, losing, asked, monkeypatch, make, status, code
):
    async def too_late(self, writes):
        return False

    monkeypatch.setattr(Turn, "come", too_late)
    answer, _ = answered(tmp_path, (StoreConflict(),), make, losing, asked)
    assert answer.startswith(f"HTTP/1.1 {status}".encode())
    assert code in answer
