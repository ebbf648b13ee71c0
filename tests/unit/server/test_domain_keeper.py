"""The keeper of domain keys: every step, every crash between two, and every token wrapped anew.

Promises: old-ciphertext-lives, acknowledged-is-durable.
"""

import asyncio
import typing

import msgspec
import pytest

from domain_world import ACCOUNT, DAY, REGIONS, DomainWorld, facts_of
from kagimori.entities.stored_tokens import TOKEN_KINDS, tokens_of
from kagimori.entities.tables import CLOSED_DOMAIN_KEYS, DOMAINS, KMS_KEYS, TABLES, TOKEN_TABLES
from kagimori.ports import Put, StoreConflict, StoreFailed
from kagimori.rules.entity import changed
from kagimori_boundary.replies import Failed
from kagimori_boundary.token_form import domain_key_id

STEPS = ["RotateDomainKey", "RewrapTokens", "CloseDomainKey", "DestroyDomainKey"]


def lived(folder, story, **settings):
    """Run a story in a new world."""

    async def live():
        world = await DomainWorld(folder, **settings).begin()
        try:
            await story(world)
        finally:
            world.close()

    asyncio.run(live())


def ids_in(world):
    return {
        domain_key_id(token).hex()
        for table in TOKEN_TABLES
        for entity in world.all(table)
        for token in tokens_of(entity)
    }


def test_a_domain_key_lives_a_day_rests_and_is_destroyed(tmp_path):
    async def story(world):
        await world.make_one_of_each()
        old, tokens = facts_of(world.kept()).current, world.presented()
        await world.settle()
        assert world.records == [], "nothing is due"
        world.now += DAY
        await world.settle()
        assert world.records == STEPS[:2]
        now = facts_of(world.kept())
        assert now.stale == old
        assert ids_in(world) <= now.current
        assert all(world.opens(token) for token in tokens), "clients may still carry such tokens"
        world.check_all_usable()
        world.settings = msgspec.structs.replace(world.settings, rotation_hours=0.0)
        world.restart_worker()
        world.now += 3 * DAY - 1
        await world.settle()
        assert world.records == STEPS[:2], "it rests"
        world.now += 1
        await world.settle()
        assert world.records == STEPS
        assert facts_of(world.kept()).stale == frozenset()
        world.check_all_usable()
        assert not any(world.opens(token) for token in tokens)
        world.restart_hsm()
        world.check_all_usable()

    lived(tmp_path, story)


def test_no_field_of_bytes_is_forgotten():
    """All that is under a domain key is wrapped anew; what is not is named here."""
    others = {("KmsKey", "public_key"), ("StoredAuditKey", "public_key"), ("Domains", "sealed")}
    others.add(("Approval", "mac"))  # under a key of the operators' roster
    others |= {("TrailBlock", "content"), ("FollowerState", "state")}
    found = set()

    def walk(kind, owner):
        for field in msgspec.structs.fields(kind):
            for part in [field.type, *typing.get_args(field.type)]:
                if part is bytes and (owner.__name__, field.name) not in others:
                    found.add(owner)
                if isinstance(part, type) and issubclass(part, msgspec.Struct) and part is not kind:
                    walk(part, owner)

    for table in TABLES.values():
        walk(table.entity, table.entity)
    assert found == set(TOKEN_KINDS)
    assert {table.entity for table in TOKEN_TABLES} == set(TOKEN_KINDS)


def test_earlier_generations_and_imported_material_are_wrapped_anew(tmp_path):
    async def story(world):
        first, second = world.key_to_be(), world.key_to_be()
        (one,), (two,) = first.backing_keys, second.backing_keys
        lost = msgspec.structs.replace(one, material_id="00" * 32, key_token=None)
        key = msgspec.structs.replace(first, backing_keys=(lost, one, two), origin="AWS_KMS")
        await world.commit(Put(KMS_KEYS, key))
        world.now += DAY
        await world.turn()
        world.adopt()
        await world.turn()
        (kept,) = world.all(KMS_KEYS)
        # The second generation is another key's, so this entity cannot be wrapped anew as a whole.
        assert kept == key
        assert world.keeper.rewrapping.progress.refused == 1
        await world.commit(Put(KMS_KEYS, changed(key, backing_keys=(lost, one, one)), key))
        world.now += 3600
        await world.settle()
        (kept,) = world.all(KMS_KEYS)
        assert [bool(one.key_token) for one in kept.backing_keys] == [False, True, True]
        assert {domain_key_id(t).hex() for t in tokens_of(kept)} <= facts_of(world.kept()).current

    lived(tmp_path, story)


def test_a_token_that_does_not_open_keeps_its_domain_key_alive(tmp_path):
    async def story(world):
        key = await world.make_key()
        (one,) = key.backing_keys
        bad = msgspec.structs.replace(one, key_token=one.key_token[:-1] + b"?")
        await world.commit(Put(KMS_KEYS, changed(key, backing_keys=(bad,)), key))
        world.now += DAY
        await world.settle()
        world.now += 30 * DAY
        await world.settle()
        states = set(facts_of(world.kept()).states.values())
        assert states == {"CURRENT", "RETIRED"}
        assert world.keeper.rewrapping.progress.refused == 1
        assert "CloseDomainKey" not in world.records

    lived(tmp_path, story)


def test_a_slow_request_cannot_bring_in_a_token_of_a_key_that_is_closed(tmp_path):
    async def story(world):
        slow = world.key_to_be()  # its token is made; its commit comes days later
        await world.settle()
        world.now += DAY
        await world.settle()
        world.now += 3 * DAY
        await world.settle()
        assert "DestroyDomainKey" in world.records
        assert world.all(KMS_KEYS) == []
        with pytest.raises(StoreConflict):
            await world.commit(Put(KMS_KEYS, slow))
        await world.make_key()  # decided again, it is of the current key
        world.check_all_usable()

    lived(tmp_path, story)


def test_one_that_comes_between_search_and_closing_is_found_before_anything_is_destroyed(tmp_path):
    async def story(world):
        slow = world.key_to_be()
        world.now += DAY
        await world.settle()
        world.now += 3 * DAY
        close = world.keeper._close

        async def late(domains, keys, now):
            if world.all(KMS_KEYS) == []:
                await_ = world.store.commit((Put(KMS_KEYS, slow),), "slow", b"{}")
                await await_
            return await close(domains, keys, now)

        world.keeper._close = late
        await world.settle()
        assert world.records.index("CloseDomainKey") < len(world.records) - 1
        assert ids_in(world) <= facts_of(world.kept()).current
        world.check_all_usable()

    lived(tmp_path, story)


def test_an_entity_may_be_changed_while_its_token_is_of_a_closed_key(tmp_path):
    async def story(world):
        key = await world.make_key()
        closed = facts_of(world.kept()).current
        from kagimori.rules.keys.domains import ClosedDomainKey

        for key_id in closed:
            put = Put(CLOSED_DOMAIN_KEYS, ClosedDomainKey(key_id=key_id, closed_at=1.0))
            await world.commit(put)
        await world.commit(Put(KMS_KEYS, changed(key, description="x"), key))
        with pytest.raises(StoreConflict):
            await world.make_key()

    lived(tmp_path, story)


@pytest.mark.parametrize("at", range(1, 12))
def test_a_commit_that_fails_changes_nothing_and_is_tried_again(tmp_path, at):
    async def story(world):
        await world.make_one_of_each()
        commit, count = world.store.commit, 0

        def fails(writes, event_id, record):
            nonlocal count
            count += 1
            if count == at:
                from kagimori.pending import Pending

                failed = Pending()
                failed.fail(StoreFailed("the disk is full"))
                return failed
            return commit(writes, event_id, record)

        world.store.commit = fails
        for _ in range(5):
            world.now += DAY
            await world.settle()
            world.check_all_usable()
        assert ids_in(world) <= facts_of(world.kept()).current

    lived(tmp_path, story)


def test_nothing_is_done_while_the_hsm_is_gone_and_all_of_it_afterwards(tmp_path):
    async def story(world):
        await world.make_one_of_each()
        world.now += DAY
        world.hsm_is_gone = True
        await world.turn()
        assert world.records == []
        world.hsm_is_gone = False
        await world.settle()
        assert ids_in(world) <= facts_of(world.kept()).current

    lived(tmp_path, story)


def test_it_waits_until_the_rings_are_adopted(tmp_path):
    async def story(world):
        await world.make_one_of_each()
        world.now += DAY
        for _ in range(3):
            await world.turn()
        assert world.records == STEPS[:1]
        world.check_all_usable()
        world.adopt()
        await world.turn()
        assert world.records == STEPS[:2]

    lived(tmp_path, story)


def test_the_rate_is_bounded(tmp_path):
    async def story(world):
        for _ in range(7):
            await world.make_key()
        world.now += DAY
        await world.turn()
        world.adopt()
        done = []
        for _ in range(5):
            await world.turn()
            done.append(world.keeper.rewrapping.rewrapped)
        assert done == [3, 6, 7, 7, 7]

    lived(tmp_path, story, rewraps_per_second=3)


def test_a_text_that_looks_like_a_token_is_none(tmp_path):
    async def story(world):
        import base64

        key = await world.make_key()
        text = base64.b64encode(tokens_of(key)[0]).decode()
        await world.commit(Put(KMS_KEYS, changed(key, description=text), key))
        for days in (1, 3):
            world.now += days * DAY
            await world.settle()
        assert "DestroyDomainKey" in world.records
        world.check_all_usable()

    lived(tmp_path, story)


def test_more_rows_than_are_looked_at_in_one_go(tmp_path, monkeypatch):
    from kagimori.server import rewrapping

    monkeypatch.setattr(rewrapping, "ROWS_AT_ONCE", 2)

    async def story(world):
        for region in REGIONS * 3:
            await world.make_key(region)
        world.now += DAY
        await world.settle()
        assert ids_in(world) <= facts_of(world.kept()).current
        assert world.keeper.rewrapping.progress.is_done

    lived(tmp_path, story)


def test_an_operator_can_have_a_stuck_search_begun_again(tmp_path):
    async def story(world):
        key = await world.make_key()
        (one,) = key.backing_keys
        bad = msgspec.structs.replace(one, key_token=one.key_token[:-1] + b"?")
        damaged = changed(key, backing_keys=(bad,))
        await world.commit(Put(KMS_KEYS, damaged, key))
        world.now += DAY
        await world.settle()
        await world.commit(Put(KMS_KEYS, changed(damaged, backing_keys=(one,)), damaged))
        await world.settle()
        assert not world.keeper.rewrapping.progress.is_done, "it does not search all the time"
        kept = world.kept()
        await world.commit(Put(DOMAINS, changed(kept, rewrap_asked_at=world.now), kept))
        await world.settle()
        assert world.keeper.rewrapping.progress.is_done
        assert ids_in(world) <= facts_of(world.kept()).current

    lived(tmp_path, story)


def test_records_name_domain_keys_and_hold_no_token(tmp_path):
    async def story(world):
        await world.make_one_of_each()
        old = facts_of(world.kept()).current
        for days in (2, 3):
            world.now += days * DAY
            await world.settle()
        told = dict(zip(world.records, world.details, strict=True))
        named = {one["domainKeyId"] for one in told["DestroyDomainKey"]["domainKeys"]}
        assert named == old
        assert told["RewrapTokens"] == {"entities": 6}
        assert {one["domain"] for one in told["RotateDomainKey"]["domainKeys"]} == {
            "identity",
            *REGIONS,
        }
        assert ACCOUNT not in str(told)

    lived(tmp_path, story, rotation_hours=48.0)


def test_a_reply_that_refuses_is_no_step(tmp_path):
    async def story(world):
        from kagimori_boundary.replies import Failure

        world.now += DAY
        perform = world.perform
        from domain_world import settled

        world.perform = lambda ask: settled(Failed(Failure.TOO_OFTEN))
        await world.turn()
        assert world.records == []
        world.perform = perform
        await world.settle()
        assert world.records == STEPS[:1]

    lived(tmp_path, story)
