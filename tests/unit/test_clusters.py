"""Clusters of CloudHSM key stores: tokens that are there, away, or not those of the store."""

import asyncio
from contextlib import asynccontextmanager, contextmanager

import pytest

from kagimori.hsm.clusters import Cluster, Clusters
from kagimori.hsm.token_process import TokenProcess
from kagimori.pending import Pending
from kagimori.ports import HolderRefused, Place, Purpose
from kagimori.rules.key_stores.causes import Cause, refusal_of_use
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType
from kagimori_boundary import commands
from kagimori_boundary.frames import PROTOCOL_VERSION
from kagimori_boundary.replies import Bytes, Failed, Failure, Greeting, NewKey, Tokens
from kit.certificates import self_signed
from kit.softhsm import PIN, needs_softhsm, soft_tokens
from unit.test_token_process import MAKE, bound, decrypt, encrypt
from waiting import future_of

pytestmark = needs_softhsm

ONE, TWO = "cluster-aaaaaaaaaaa", "cluster-bbbbbbbbbbb"
PURPOSE = Purpose("Encrypt")


@pytest.fixture(scope="module")
def anchors():
    return self_signed("one"), self_signed("two")


@pytest.fixture
def soft(tmp_path):
    return soft_tokens(tmp_path / "soft", "one", "two")


def store(anchor, cluster_id=ONE, password=PIN):
    return CustomKeyStore(
        account_id="111122223333",
        region="us-east-1",
        key_store_id="cks-0123456789abcdef0",
        name="store",
        key_store_type=KeyStoreType.CLOUDHSM,
        created_at=0.0,
        sealed_secret=password.encode(),
        cluster_id=cluster_id,
        trust_anchor=anchor,
    )


def own(command):
    """Stand in for our own HSM: a sealed password is the password."""
    pending = Pending()
    pending.settle(Bytes(command))
    return pending


@contextmanager
def processes(soft, *labels):
    started = [TokenProcess(soft.options(label), soft.environment) for label in labels]
    try:
        yield started
    finally:
        for process in started:
            process.end()


@asynccontextmanager
async def clusters(soft, anchors):
    made = Clusters(
        [
            Cluster(cluster_id, anchor, soft.options(label).socket_path, 10.0)
            for cluster_id, anchor, label in zip((ONE, TWO), anchors, ("one", "two"), strict=True)
        ],
        own,
        lambda store: store.sealed_secret,
    )
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.close()
        running.cancel()


async def reached(made, *stores):
    hello = commands.Hello(PROTOCOL_VERSION)
    async with asyncio.timeout(20):
        for one in stores:
            while True:
                try:
                    if isinstance(await future_of(made.perform_there(hello, one)), Greeting):
                        break
                except HolderRefused:
                    await asyncio.sleep(0.01)


async def cause_of(pending):
    with pytest.raises(HolderRefused) as refused:
        await future_of(pending)
    return refused.value.cause


def test_two_stores_each_with_the_keys_of_its_token(soft, anchors):
    one, two = store(anchors[0]), store(anchors[1], TWO)

    async def run():
        async with clusters(soft, anchors) as made:
            await reached(made, one, two)
            for there in (one, two):
                await future_of(made.check(there, "", PURPOSE))
                await future_of(made.connect(there, PURPOSE))
            new = await future_of(made.perform(MAKE, Place(one), PURPOSE))
            assert isinstance(new, NewKey)
            token = bound(new)
            blob = (await future_of(made.perform(encrypt(token), Place(one), PURPOSE))).value
            opened = await future_of(made.perform(decrypt(token, blob), Place(one), PURPOSE))
            assert opened == Bytes(b"meet me at noon")
            elsewhere = made.perform(decrypt(token, blob), Place(two), PURPOSE)
            assert await cause_of(elsewhere) is Cause.KEY_NOT_IN_CLUSTER
            altered = made.perform(decrypt(token, blob[:-1] + b"\0"), Place(one), PURPOSE)
            assert await future_of(altered) == Failed(Failure.INVALID_CIPHERTEXT)
            await future_of(made.disconnect(one))

    with processes(soft, "one", "two"):
        asyncio.run(run())


def test_a_store_is_checked_against_its_cluster(soft, anchors):
    async def run():
        async with clusters(soft, anchors) as made:
            right = store(anchors[0])
            await reached(made, right)
            for wrong, cause in (
                (store(anchors[0], "cluster-ccccccccccc"), Cause.CLUSTER_NOT_FOUND),
                (store(anchors[1]), Cause.TRUST_ANCHOR),
                (store("no certificate"), Cause.TRUST_ANCHOR),
                (store(anchors[1], TWO), Cause.CLUSTER_NOT_REACHABLE),  # it has no process
            ):
                assert await cause_of(made.check(wrong, "", PURPOSE)) is cause
            await future_of(made.check(store(anchors[0].replace("\n", "\r\n")), "", PURPOSE))

    with processes(soft, "one"):
        asyncio.run(run())


def test_the_password_is_tried_when_the_store_is_connected(soft, anchors):
    async def run():
        async with clusters(soft, anchors) as made:
            right, wrong = store(anchors[0]), store(anchors[0], password="another password")
            await reached(made, right)
            await future_of(made.check(wrong, "", PURPOSE))
            assert await cause_of(made.connect(wrong, PURPOSE)) is Cause.CREDENTIALS
            await future_of(made.connect(right, PURPOSE))

    with processes(soft, "one"):
        asyncio.run(run())


def test_a_token_that_is_away_is_a_cluster_that_cannot_be_reached(soft, anchors):
    async def run():
        async with clusters(soft, anchors) as made:
            there = store(anchors[0])
            await reached(made, there)
            token = bound(await future_of(made.perform(MAKE, Place(there), PURPOSE)))
            soft.take_away()
            for _ in range(3):
                lost = made.perform(encrypt(token), Place(there), PURPOSE)
                assert await cause_of(lost) is Cause.CLUSTER_NOT_REACHABLE
            soft.bring_back()
            async with asyncio.timeout(20):
                while True:
                    try:
                        back = await future_of(made.perform(encrypt(token), Place(there), PURPOSE))
                        break
                    except HolderRefused:
                        await asyncio.sleep(0.05)
            assert isinstance(back, Bytes)

    with processes(soft, "one"):
        asyncio.run(run())
    refusal = refusal_of_use(Cause.CLUSTER_NOT_REACHABLE)
    assert type(refusal).__name__ == "KMSInvalidStateException"
    assert str(refusal) == "KMS cannot communicate with your CloudHSM cluster"


def test_a_deleted_key_is_destroyed_in_its_token(soft, anchors):
    async def run():
        async with clusters(soft, anchors) as made:
            there = store(anchors[0])
            await reached(made, there)
            new = await future_of(made.perform(MAKE, Place(there), PURPOSE))
            arn = f"arn:aws:kms:us-east-1:{MAKE.account_id}:key/{MAKE.key_id}"
            forget = commands.ForgetMaterial([new.material_id], [new.key_token])
            for _ in range(2):
                destroyed = await future_of(made.perform(forget, Place(there, "", arn), PURPOSE))
                assert destroyed == Tokens([])
            gone = made.perform(encrypt(bound(new)), Place(there), PURPOSE)
            assert await cause_of(gone) is Cause.KEY_NOT_IN_CLUSTER
            soft.take_away()
            away = made.perform(forget, Place(there, "", arn), PURPOSE)
            assert await cause_of(away) is Cause.CLUSTER_NOT_REACHABLE

    with processes(soft, "one"):
        asyncio.run(run())


def test_a_cluster_holds_no_layers(soft, anchors):
    async def run():
        async with clusters(soft, anchors) as made:
            assert not made.is_layer
            for asked in (made.wrapped(b"", {}, None), made.unwrapped(b"", {}, None)):
                assert await cause_of(asked) is Cause.UNSUPPORTED

    asyncio.run(run())
