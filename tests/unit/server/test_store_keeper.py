"""The keeper of key stores: connections are made, fail and are given up, through crashes too.

Promises: record-before-release.
"""

import asyncio
import json

import pytest

from kagimori.entities.tables import KEY_STORES, TABLES
from kagimori.hsm.client import HsmGone
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.pending import Pending
from kagimori.ports import HolderRefused, Put
from kagimori.rules.entity import changed
from kagimori.rules.key_stores.asks import ConnectStore, DisconnectStore
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType
from kagimori.rules.key_stores.states import ConnectionState
from kagimori.server.store_keeper import StoreKeeper
from kagimori.trail.keeper import Keeper
from kagimori_boundary.replies import Bytes, Failed, Failure
from waiting import future_of

NOW = 1_800_000_000.0
CONNECTING, DISCONNECTING = ConnectionState.CONNECTING, ConnectionState.DISCONNECTING


class Quiet:
    def error(self, *_, **__):
        pass


class World:
    """A store, a keeper, and a holder that answers what a test says."""

    def __init__(self, folder):
        self.folder, self.records, self.asked, self.answer = folder, [], [], Bytes(b"")
        self.drawn = 0
        self.store = WorkerStore(
            folder / "kagimori.db",
            ChangeSignal(folder / "changes"),
            stream="w0",
            tables=tuple(TABLES.values()),
        )
        telemetry = Telemetry(services=("kms",), log=Quiet())
        self.keeper = StoreKeeper(
            store=self.store,
            key_holder=self,
            keeper=Keeper(self.store, self, self, telemetry),
            now=lambda: NOW,
            draw=self.draw,
            telemetry=telemetry,
        )

    def draw(self):
        self.drawn += 1
        return f"id-{self.drawn}"

    def perform(self, ask):
        self.asked.append((type(ask.command), ask.outside.place.store.name))
        pending = Pending()
        if isinstance(self.answer, Exception):
            pending.fail(self.answer)
        else:
            pending.settle(self.answer)
        return pending

    def check(self):
        pass

    def append_committed(self, event_id, record):
        self.records.append(json.loads(record))
        pending = Pending()
        pending.settle(None)
        return pending

    async def put(self, state, name="one"):
        store = CustomKeyStore(
            account_id="111122223333",
            region="us-east-1",
            key_store_id=f"cks-{name}",
            name=name,
            key_store_type=KeyStoreType.EXTERNAL,
            created_at=0.0,
            state=state,
            due_at=NOW,
        )
        await future_of(self.store.commit((Put(KEY_STORES, store),), self.draw(), b"{}"))
        return store

    def kept(self, name="one"):
        key = ("111122223333", "us-east-1", f"cks-{name}")
        return self.store._writer.one(KEY_STORES, key)


def lived(folder, story):
    async def live():
        world = World(folder)
        try:
            await story(world)
        finally:
            world.store.close()

    asyncio.run(live())


def test_a_connection_is_made_once_and_recorded(tmp_path):
    async def story(world):
        await world.put(CONNECTING)
        await world.keeper.turn()
        kept = world.kept()
        assert (kept.state, kept.due_at) == (ConnectionState.CONNECTED, None)
        await world.keeper.turn()
        assert world.asked == [(ConnectStore, "one")]
        (record,) = world.records
        assert record["eventName"] == "ConnectCustomKeyStoreResult"
        assert record["serviceEventDetails"] == {
            "customKeyStoreId": "cks-one",
            "connectionState": "CONNECTED",
        }

    lived(tmp_path, story)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (HolderRefused(Cause.NO_TLS), "XKS_PROXY_INVALID_TLS_CONFIGURATION"),
        (HolderRefused(Cause.CREDENTIALS), "INVALID_CREDENTIALS"),
        (Failed(Failure.INTERNAL), "INTERNAL_ERROR"),
    ],
)
def test_a_connection_that_fails_says_why(tmp_path, answer, code):
    async def story(world):
        await world.put(CONNECTING)
        world.answer = answer
        await world.keeper.turn()
        kept = world.kept()
        assert (kept.state, kept.error_code) == (ConnectionState.FAILED, code)
        assert world.records[0]["serviceEventDetails"]["connectionErrorCode"] == code

    lived(tmp_path, story)


def test_a_store_is_released_whatever_its_holder_answers(tmp_path):
    async def story(world):
        await world.put(DISCONNECTING)
        world.answer = HolderRefused(Cause.CLUSTER_NOT_FOUND)
        await world.keeper.turn()
        assert world.kept().state is ConnectionState.DISCONNECTED
        assert world.asked == [(DisconnectStore, "one")]
        assert world.records[0]["eventName"] == "DisconnectCustomKeyStoreResult"

    lived(tmp_path, story)


def test_while_the_hsm_is_away_a_connection_is_neither_made_nor_failed(tmp_path):
    async def story(world):
        await world.put(CONNECTING)
        world.answer = HsmGone("gone")
        await world.keeper.turn()
        assert world.kept().state is CONNECTING
        assert world.records == []
        world.answer = Bytes(b"")
        await world.keeper.turn()
        assert world.kept().state is ConnectionState.CONNECTED

    lived(tmp_path, story)


def test_a_store_that_is_disconnected_meanwhile_is_not_connected(tmp_path):
    async def story(world):
        store = await world.put(CONNECTING)
        perform = world.perform

        def changing(ask):
            if isinstance(ask.command, ConnectStore):
                after = changed(store, state=DISCONNECTING)
                put = (Put(KEY_STORES, after, store),)
                pending = world.store.commit(put, world.draw(), b"{}")
                reply = Pending()
                pending.then(lambda: reply.settle(Bytes(b"")))
                world.asked.append((ConnectStore, "one"))
                return reply
            return perform(ask)

        world.perform = changing
        await world.keeper.turn()
        assert world.kept().state is ConnectionState.DISCONNECTED
        assert [kind for kind, _ in world.asked] == [ConnectStore, DisconnectStore]
        assert [one["eventName"] for one in world.records] == ["DisconnectCustomKeyStoreResult"]

    lived(tmp_path, story)


def test_several_stores_do_not_wait_for_one_that_fails(tmp_path):
    async def story(world):
        await world.put(CONNECTING, "bad")
        await world.put(CONNECTING, "good")

        def perform(ask):
            reply = Pending()
            if ask.outside.place.store.name == "bad":
                reply.fail(HolderRefused(Cause.TIMED_OUT))
            else:
                reply.settle(Bytes(b""))
            return reply

        world.perform = perform
        await world.keeper.turn()
        assert world.kept("bad").state is ConnectionState.FAILED
        assert world.kept("good").state is ConnectionState.CONNECTED

    lived(tmp_path, story)
