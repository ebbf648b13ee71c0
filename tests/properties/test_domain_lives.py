"""Any interleaving of time, rotation, use, slow requests and crashes leaves every key usable.

And in the end, when all has rested, the old domain keys are gone and their tokens open no more.
Promises: old-ciphertext-lives, acknowledged-is-durable.
"""

import asyncio
import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from domain_world import DAY, REGIONS, DomainWorld, facts_of
from kagimori.entities.stored_tokens import tokens_of
from kagimori.entities.tables import KMS_KEYS, TOKEN_TABLES
from kagimori.pending import Pending
from kagimori.ports import Put, StoreConflict, StoreFailed
from kagimori.rules.entity import changed
from kagimori_boundary.token_form import domain_key_id

EXAMPLES = int(os.environ.get("KAGIMORI_DOMAIN_EXAMPLES", "30"))
OPERATIONS = (
    "an hour",
    "a day",
    "three days",
    "turn",
    "one step",
    "adopt",
    "make a key",
    "make one of each",
    "begin a slow request",
    "end the slow requests",
    "change a key",
    "the HSM restarts",
    "the worker restarts",
    "everything restarts",
    "a commit is lost",
    "a commit is kept and not acknowledged",
)


class Story(DomainWorld):
    """A world that can be told what happens next."""

    def __init__(self, folder):
        super().__init__(folder, rewraps_per_second=2)
        self.slow = []

    async def happen(self, operation):
        if operation in ("an hour", "a day", "three days"):
            self.now += {"an hour": 3600.0, "a day": DAY, "three days": 3 * DAY}[operation]
        elif operation == "turn":
            await self.turn()
        elif operation == "one step":
            await self.one_step()
        elif operation == "adopt":
            self.adopt()
        elif operation == "make a key":
            await self.make_key(REGIONS[len(self.records) % 2])
        elif operation == "make one of each":
            await self.make_one_of_each()
        elif operation == "begin a slow request":
            self.slow.append(self.key_to_be())
        elif operation == "end the slow requests":
            await self.end_slow()
        elif operation == "change a key":
            for key in self.all(KMS_KEYS)[:1]:
                await self.commit(Put(KMS_KEYS, changed(key, description="x"), key))
        elif operation in ("a commit is lost", "a commit is kept and not acknowledged"):
            await self.with_commit(kept="kept" in operation)
        if operation in ("the HSM restarts", "everything restarts"):
            self.restart_hsm()
        if operation in ("the worker restarts", "everything restarts"):
            self.restart_worker()

    async def one_step(self):
        step, taken = self.keeper._step, False

        async def once():
            nonlocal taken
            if taken:
                return False
            taken = True
            return await step()

        self.keeper._step = once
        await self.turn()
        self.keeper._step = step

    async def with_commit(self, *, kept):
        """The next commit of the keeper fails, or is made without the keeper hearing of it."""
        commit, first = self.store.commit, True

        def fails(writes, event_id, record):
            nonlocal first
            if not first:
                return commit(writes, event_id, record)
            first = False
            failed = Pending()
            if kept:
                commit(writes, event_id, record).then(lambda: failed.fail(StoreFailed("late")))
            else:
                failed.fail(StoreFailed("never"))
            return failed

        self.store.commit = fails
        await self.turn()
        self.store.commit = commit

    async def end_slow(self):
        """Slow requests come to their commits; one that is refused is decided again."""
        slow, self.slow = self.slow, []
        for kms_key in slow:
            try:
                await self.commit(Put(KMS_KEYS, kms_key))
            except StoreConflict:
                await self.make_key()


@settings(max_examples=EXAMPLES, deadline=None)
@given(story=st.lists(st.sampled_from(OPERATIONS), max_size=40))
def test_any_interleaving_leaves_every_key_usable(story):
    async def live(folder):
        world = await Story(folder).begin()
        try:
            await world.make_one_of_each()
            first, tokens = facts_of(world.kept()).current, world.presented()
            for operation in story:
                await world.happen(operation)
                world.check_all_usable()
            await world.end_slow()
            for _ in range(5):
                world.now += DAY
                await world.settle(30)
                world.check_all_usable()
            assert not first & facts_of(world.kept()).states.keys()
            assert not any(world.opens(token) for token in tokens)
            found = {
                domain_key_id(token).hex()
                for table in TOKEN_TABLES
                for entity in world.all(table)
                for token in tokens_of(entity)
            }
            assert found <= facts_of(world.kept()).current
        finally:
            world.close()

    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        asyncio.run(live(Path(folder)))
