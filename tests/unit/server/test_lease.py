"""The lease of what time asks for: one node has it, whatever happens to it or to its clock.

Two nodes are two stores over one database here, and two clocks that the tests move.
"""

import asyncio
import json

import pytest

from kagimori.entities.node_tables import HEARTBEATS, LEASES
from kagimori.entities.tables import ACCOUNT_QUOTAS, TABLES
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.pending import Pending, start
from kagimori.ports import Put, StoreConflict, StoreFailed
from kagimori.rules.nodes.node import NOBODY, TIME, Heartbeat, NodeReport
from kagimori.rules.quotas.account_quotas import AccountQuotas
from kagimori.server.fenced import FencedStore
from kagimori.server.lease_keeper import LeaseKeeper
from kagimori.settings import Nodes
from kagimori.trail.keeper import Keeper
from waiting import future_of

LEASE_SECONDS = 10


class Quiet:
    def error(self, *_, **__):
        pass


class Node:
    """One node: its store, its keeper of the lease, its fence, and its clocks."""

    def __init__(self, folder, name, slot):
        self.name, self.records, self.able, self.drawn, self.troubles = name, [], True, 0, ()
        self.works = True
        self.wall, self.elapsed = 1_800_000_000.0, 0.0
        self.store = WorkerStore(
            folder / "kagimori.db",
            ChangeSignal(folder / "changes", slot),
            stream=f"{name}-w0",
            tables=tuple(TABLES.values()),
        )
        telemetry = Telemetry(log=Quiet())
        self.fence = FencedStore(self.store, self.store.view, name)
        self.keeper = LeaseKeeper(
            beat=Heartbeat(node_id=name, at=self.wall, started_at=self.wall, version=slot * 1000),
            store=self.store,
            keeper=Keeper(self.store, self, self, telemetry),
            able=lambda: self.able,
            works=lambda: self.works,
            now=lambda: self.wall,
            draw=self.draw,
            telemetry=telemetry,
            settings=Nodes(lease_seconds=LEASE_SECONDS),
            region="us-east-1",
            account_id="111122223333",
            monotonic=lambda: self.elapsed,
            report=lambda: NodeReport(workers=2, troubles=self.troubles, domains={"keys": name}),
        )

    def draw(self):
        self.drawn += 1
        return f"{self.name}-{self.drawn}"

    def check(self):
        pass

    def append_committed(self, event_id, record):
        self.records.append(json.loads(record))
        pending = Pending()
        pending.settle(None)
        return pending

    async def live(self, seconds):
        """Take a turn each second, with the clock going on as it does."""
        for _ in range(seconds):
            self.elapsed += 1
            self.wall += 1
            await self.keeper.turn()
            while self.store._busy:  # the beat is on its way
                await asyncio.sleep(0)

    async def holds(self):
        done = asyncio.get_running_loop().create_future()

        async def look():
            done.set_result(await self.fence.holds())

        start(look())
        return await done

    async def change(self, account):
        """Commit something through the fence."""
        quotas = AccountQuotas(account_id=account, region="us-east-1")
        await future_of(self.fence.commit((Put(ACCOUNT_QUOTAS, quotas),), self.draw(), b"{}"))

    def kept(self, table, *key):
        return self.store._writer.one(table, key)


def lived(folder, story, *names):
    async def live():
        nodes = [Node(folder, name, slot) for slot, name in enumerate(names)]
        try:
            await story(*nodes)
        finally:
            for node in nodes:
                node.store.close()

    asyncio.run(live())


async def together(seconds, *nodes):
    for _ in range(seconds):
        for node in nodes:
            await node.live(1)


def test_the_first_node_takes_the_lease_and_says_so_once(tmp_path):
    async def story(one):
        await one.live(3)
        assert await one.holds()
        (record,) = one.records
        assert record["eventName"] == "TakeLease"
        assert record["serviceEventDetails"] == {"lease": TIME, "node": "one", "before": NOBODY}

    lived(tmp_path, story, "one")


def test_while_its_holder_beats_nobody_else_takes_it(tmp_path):
    async def story(one, other):
        await together(5 * LEASE_SECONDS, one, other)
        assert await one.holds()
        assert not await other.holds()
        assert other.records == []

    lived(tmp_path, story, "one", "other")


def test_once_its_holder_is_silent_for_its_length_another_takes_it(tmp_path):
    async def story(one, other):
        await together(3, one, other)
        await other.live(LEASE_SECONDS - 1)
        assert not await other.holds()
        await other.live(3)
        assert await other.holds()
        assert other.records[0]["serviceEventDetails"]["before"] == "one"

    lived(tmp_path, story, "one", "other")


@pytest.mark.parametrize("jump", [300, -300, 365 * 86_400, -365 * 86_400])
def test_no_clock_that_jumps_moves_the_lease(tmp_path, jump):
    async def story(one, other):
        await together(3, one, other)
        other.wall += jump
        await together(3, one, other)
        one.wall -= jump
        await together(3 * LEASE_SECONDS, one, other)
        assert await one.holds()
        assert not await other.holds()

    lived(tmp_path, story, "one", "other")


def test_one_that_was_paused_itself_blames_nobody(tmp_path):
    async def story(one, other):
        await together(3, one, other)
        other.elapsed += 3600
        await other.live(1)
        assert not await other.holds()

    lived(tmp_path, story, "one", "other")


def test_two_that_both_believe_they_hold_it_do_not_both_write(tmp_path):
    async def story(one, other):
        await together(3, one, other)
        assert await one.holds()
        await one.change("000000000001")
        await other.live(LEASE_SECONDS + 3)  # while the first is paused
        assert await other.holds()
        with pytest.raises(StoreConflict):  # it goes on, and does not know yet
            await one.change("000000000002")
        await other.change("000000000003")
        assert one.kept(ACCOUNT_QUOTAS, "000000000002", "us-east-1") is None
        assert not await one.holds(), "after the refusal it looked again"
        with pytest.raises(StoreFailed):
            await one.change("000000000004")

    lived(tmp_path, story, "one", "other")


def test_a_lease_that_went_away_and_came_back_is_another_one(tmp_path):
    async def story(one, other):
        await together(3, one, other)
        assert await one.holds()
        await other.live(LEASE_SECONDS + 3)
        other.able = False
        await together(3, one, other)
        assert one.kept(LEASES, TIME).holder == "one"
        with pytest.raises(StoreConflict):  # decided upon while it held the one before
            await one.change("000000000001")
        assert await one.holds()
        await one.change("000000000001")

    lived(tmp_path, story, "one", "other")


def test_a_node_that_cannot_do_it_gives_it_back_if_another_lives(tmp_path):
    async def story(one, other):
        await together(3, one, other)
        one.able = False  # its HSM is sealed
        await together(2, one, other)
        assert await other.holds()
        assert one.records[-1]["eventName"] == "GiveBackLease"
        other.able = False
        one.able = True
        await together(2, other, one)
        assert await one.holds()

    lived(tmp_path, story, "one", "other")


def test_one_that_stops_gives_it_back_and_takes_it_no_more(tmp_path):
    async def story(one, other):
        await together(3, one, other)
        await one.keeper.resign()
        await one.live(2)
        assert not await one.holds()
        await other.live(1)
        assert await other.holds()

    lived(tmp_path, story, "one", "other")


def test_one_alone_keeps_it_when_it_stops(tmp_path):
    async def story(one):
        await one.live(3)
        await one.keeper.resign()
        assert await one.holds()
        assert len(one.records) == 1

    lived(tmp_path, story, "one")


def test_a_heartbeat_after_the_last_look_keeps_the_lease(tmp_path):
    async def story(one, other):
        await together(3, one, other)
        await other.live(LEASE_SECONDS - 1)
        seen = other.kept(HEARTBEATS, "one")
        await one.live(1)
        assert one.kept(HEARTBEATS, "one").version == seen.version + 1
        await other.live(2)
        assert await one.holds()
        assert not await other.holds()

    lived(tmp_path, story, "one", "other")


def test_each_node_shows_all_and_what_the_holder_reports(tmp_path):
    async def story(one, other):
        await together(3, one, other)
        other.troubles = ("journal",)
        await together(2, one, other)
        for node in (one, other):
            first, second = node.keeper.nodes()
            assert (first["node_id"], first["holds_lease"], first["troubles"]) == ("one", True, [])
            assert (second["node_id"], second["workers"]) == ("other", 2)
            assert (second["holds_lease"], second["troubles"]) == (False, ["journal"])
            assert (first["state"], second["state"]) == ("LIVE", "LIVE")
        assert one.keeper.leader is None  # it knows better itself
        assert other.keeper.leader.domains == {"keys": "one"}
        await other.live(LEASE_SECONDS)
        (silent, _) = other.keeper.nodes()
        assert silent["state"] == "SILENT"
        assert silent["heartbeat_age_seconds"] >= LEASE_SECONDS

    lived(tmp_path, story, "one", "other")


def test_a_node_whose_hsm_does_not_come_back_gives_it_to_another(tmp_path):
    async def story(one, other):
        await together(3, one, other)
        one.works = False
        await together(LEASE_SECONDS - 3, one, other)
        assert await one.holds(), "an HSM that is started again is no reason"
        one.works = True
        await together(2, one, other)
        one.works = False
        await together(LEASE_SECONDS + 2, one, other)
        assert await other.holds()
        one.works = True
        await together(2, one, other)
        assert await other.holds()

    lived(tmp_path, story, "one", "other")
