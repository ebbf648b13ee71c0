"""Turns: who has lost against another change is served in the order in which it came."""

import asyncio
import random

import pytest
from msgspec.structs import replace

from kagimori.entities.tables import KMS_KEYS
from kagimori.machinery.turns import Turn, Turns
from kagimori.pending import Pending, start
from kagimori.ports import Expect, ExpectAtMost, Put, StoreConflict
from kagimori.rules.keys.kms_key import KmsKey

KEY = KmsKey(account_id="1" * 12, region="us-east-1", key_id="k", created_at=0.0, key_policy="{}")
CHANGE = (Put(KMS_KEYS, KEY, KEY),)


def test_each_that_lost_comes_to_its_turn_in_order():
    turns, served = Turns(), []

    async def change(number):
        turn = Turn(turns)
        try:
            turn.check(CHANGE)
            raise StoreConflict  # as if another had been faster
        except StoreConflict:
            assert await turn.come(CHANGE)
        turn.check(CHANGE)
        served.append(number)
        turn.give_back()

    async def all_of_them():
        for number in range(40):
            start(change(number))
        for _ in range(200):
            await asyncio.sleep(0)

    asyncio.run(all_of_them())
    assert served == list(range(40))
    assert not turns.is_taken(("kms_keys", *KMS_KEYS.key_of(KEY)))


def test_who_comes_new_does_not_overtake_those_who_wait():
    turns = Turns()
    name = ("kms_keys", *KMS_KEYS.key_of(KEY))
    assert turns.take(name).result() is None
    with pytest.raises(StoreConflict):
        Turn(turns).check(CHANGE)


def test_those_who_need_a_thing_as_it_is_go_together_between_those_who_change_it():
    turns, going = Turns(), []
    needs = (Expect(KMS_KEYS, KEY),)

    async def go(name, writes):
        turn = Turn(turns)
        await turn.come(writes)
        going.append(f"{name} comes")
        await pause()
        going.append(f"{name} goes")
        turn.give_back()

    def pause():
        done = Pending()
        asyncio.get_running_loop().call_soon(done.settle, None)
        return done

    async def all_of_them():
        for name, writes in (("a", needs), ("b", needs), ("c", CHANGE), ("d", needs), ("e", needs)):
            start(go(name, writes))
        for _ in range(50):
            await asyncio.sleep(0)

    asyncio.run(all_of_them())
    assert going == [
        *("a comes", "b comes", "a goes", "b goes"),
        *("c comes", "c goes"),
        *("d comes", "e comes", "d goes", "e goes"),
    ]


def test_who_changes_several_things_has_the_turn_of_each_and_nobody_waits_for_ever():
    """In a hundred orders, of three things: a lock of the first alone lets the rest be fought over."""
    keys = [replace(KEY, key_id=name) for name in "abc"]
    chance, turns, served = random.Random(7), Turns(), []
    having = set()

    async def change(number, some):
        turn = Turn(turns)
        await turn.come(tuple(Put(KMS_KEYS, key, key) for key in some))
        names = {key.key_id for key in some}
        assert not names & having
        having.update(names)
        done = Pending()
        asyncio.get_running_loop().call_soon(done.settle, None)
        await done
        having.difference_update(names)
        turn.give_back()
        served.append(number)

    async def all_of_them():
        for number in range(100):
            start(change(number, chance.sample(keys, chance.randint(1, 3))))
        for _ in range(2000):
            await asyncio.sleep(0)

    asyncio.run(all_of_them())
    assert sorted(served) == list(range(100))


def test_who_loses_in_turn_pauses_and_is_told_when_it_has_taken_too_long(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("kagimori.machinery.turns.monotonic", lambda: now[0])
    answers = []

    async def lose():
        turn = Turn(Turns())
        for at in (0.0, 1.0, 2.0, 3.0, 30.0):
            now[0] = at
            answers.append(await turn.come(CHANGE))
        turn.give_back()

    async def all_of_them():
        start(lose())
        while len(answers) < 5:
            await asyncio.sleep(0.001)

    asyncio.run(all_of_them())
    assert answers == [True, True, True, True, False]


def test_nobody_waits_for_what_nobody_has():
    turns = Turns()
    turn = Turn(turns)
    turn.check(())
    turn.check((Put(KMS_KEYS, KEY), ExpectAtMost(KMS_KEYS, "by_id", ("1", "k"))))
    turn.give_back()
    assert not turns.is_taken(("kms_keys", *KMS_KEYS.key_of(KEY)))
