"""Turns: who has lost against another change is served in the order in which it came."""

import asyncio

import pytest

from kagimori.entities.tables import KMS_KEYS
from kagimori.machinery.turns import Turn, Turns
from kagimori.pending import start
from kagimori.ports import ExpectAtMost, Put, StoreConflict
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
            await turn.come()
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


def test_what_is_new_is_fought_over_by_nobody():
    turns = Turns()
    turn = Turn(turns)
    turn.check(())
    turn.check((Put(KMS_KEYS, KEY), ExpectAtMost(KMS_KEYS, "by_id", ("1", "k"))))
    start(turn.come())
    turn.give_back()
    assert not turns.is_taken(("kms_keys", *KMS_KEYS.key_of(KEY)))
