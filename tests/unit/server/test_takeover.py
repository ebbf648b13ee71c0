"""Records of a silent node: in another one's journal, once, whoever comes back or crashes."""

import asyncio
import json

import pytest

from kagimori.entities.node_tables import HEARTBEATS, TAKEN_RECORDS
from kagimori.entities.tables import TABLES
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.pending import Pending
from kagimori.ports import StoreConflict
from kagimori.rules.nodes.node import Heartbeat
from kagimori.server.takeover import Takeover
from kagimori.trail.journal import Journal
from kagimori.trail.keeper import Keeper
from kagimori.trail.outbox import rows_of_node
from kagimori.trail.sharing import taken_elsewhere
from kagimori.trail.source import Source
from waiting import future_of

DEAD, LIVING, THIRD = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"


class Quiet:
    def error(self, *_, **__):
        pass


class Node:
    """One node's store, journal, and takeover; `silent` is what it has seen."""

    def __init__(self, folder, name, slot):
        self.name, self.stream, self.audit = name, f"{name}-w0", folder / name
        self.silent, self.does_hold, self.drawn, self.fails = set(), True, 0, False
        self.store = WorkerStore(
            folder / "kagimori.db",
            ChangeSignal(folder / "changes", slot),
            stream=self.stream,
            tables=tuple(TABLES.values()),
        )
        self.journal = Journal(self.audit / self.stream)
        telemetry = Telemetry(log=Quiet())
        self.takeover = Takeover(
            stream=self.stream,
            audit=self.audit,
            store=self.store,
            keeper=Keeper(self.store, self, self, telemetry),
            archive=self,
            is_shared=True,
            silent=lambda: frozenset(self.silent),
            now=lambda: 1.0,
            draw=self.draw,
            telemetry=telemetry,
            region="us-east-1",
            account_id="111122223333",
            holds=self.holds,
        )

    async def holds(self):
        return self.does_hold

    def draw(self):
        self.drawn += 1
        return f"{self.name}-{self.drawn}"

    def check(self):
        pass

    def append(self, record):
        if self.fails:
            raise RuntimeError("the node dies here")
        return self.journal.append(record)

    def append_committed(self, event_id, record):
        self.store.release((event_id,))
        return self.journal.append(record)

    async def change(self, event_id, *, journals=False):
        """Commit a change, and die before its record is released."""
        await future_of(self.store.commit((), event_id, record_of(event_id)))
        if journals:
            await future_of(self.journal.append(record_of(event_id)))

    async def turn(self):
        await self.takeover.turn()
        self.store._release_now()
        while self.store._busy:
            await asyncio.sleep(0)

    def beat(self, count):
        self.store._writer.commit_all((), (), ((HEARTBEATS, beat_of(self.name, count)),))

    def events(self, folder=None):
        """The events that count here, of a stream in this node's audit folder."""
        folder = folder or self.audit / self.stream
        source = Source(self.audit)
        source.leave_out(taken_elsewhere(self))
        return [
            one.entry.event_id
            for lines in source.tail(folder).read()
            for one in lines.decoded
            if one.entry is not None
        ]

    def page(self, table, *arguments):
        return self.store._reader.page(table, *arguments, None)

    def left(self):
        return [row[0] for row in self.store._reader.outbox()]


def beat_of(node, count):
    return Heartbeat(node_id=node, at=1.0, started_at=1.0, version=count)


def record_of(event_id):
    return json.dumps(
        {
            "eventID": event_id,
            "eventTime": "2026-11-27T12:00:00Z",
            "eventName": "CreateKey",
            "eventSource": "kms.amazonaws.com",
        },
        separators=(",", ":"),
    ).encode()


def lived(folder, story, *names):
    async def live():
        nodes = [Node(folder, name, slot) for slot, name in enumerate(names)]
        for node in nodes:
            node.beat(1)
        try:
            await story(*nodes)
        finally:
            for node in nodes:
                await node.journal.close()
                node.store.close()

    asyncio.run(live())


def mirrored(node, other):
    """Copy a node's stream into another one's audit folder, as the mirror does."""
    target = other.audit / node.stream
    target.mkdir(exist_ok=True)
    for file in (node.audit / node.stream).glob("*.jsonl"):
        (target / file.name).write_bytes(file.read_bytes())


def test_what_a_silent_node_left_is_journalled_by_another_once(tmp_path):
    async def story(dead, living):
        await dead.change("e1")
        await dead.change("e2")
        await living.turn()
        assert living.events() == [], "it was not silent"
        living.silent.add(DEAD)
        for _ in range(3):
            await living.turn()
        assert [name for name in living.events() if name[0] == "e"] == ["e1", "e2"]
        assert living.left() == []

    lived(tmp_path, story, DEAD, LIVING)


def test_who_does_not_hold_the_lease_takes_nothing(tmp_path):
    async def story(dead, living):
        await dead.change("e1")
        living.silent.add(DEAD)
        living.does_hold = False
        await living.turn()
        assert living.events() == []
        assert living.left() == ["e1"]

    lived(tmp_path, story, DEAD, LIVING)


def test_what_is_in_the_trail_already_is_not_written_again(tmp_path):
    async def story(dead, living):
        await dead.change("e1", journals=True)
        mirrored(dead, living)
        living.silent.add(DEAD)
        await living.turn()
        assert living.events() == []
        assert living.left() == []

    lived(tmp_path, story, DEAD, LIVING)


def test_a_node_that_comes_back_with_it_in_its_journal_does_not_count_it(tmp_path):
    async def story(dead, living):
        await dead.change("e1", journals=True)  # and nobody else has seen that
        await dead.change("e2", journals=True)
        living.silent.add(DEAD)
        await living.turn()
        assert set(living.events()) >= {"e1", "e2"}
        assert dead.events() == []
        mirrored(dead, living)
        assert living.events(living.audit / dead.stream) == []

    lived(tmp_path, story, DEAD, LIVING)


def test_a_node_that_starts_again_leaves_alone_what_another_has_taken(tmp_path):
    async def story(dead, living):
        await dead.change("e1")
        living.silent.add(DEAD)
        living.fails = True  # after it has taken it, before the journal has it
        await living.turn()
        rows, taken = dead.store.outbox(), dead.store.all_at_start(TAKEN_RECORDS)
        assert rows_of_node(rows, taken, DEAD) == []
        (row,) = rows_of_node(rows, taken, LIVING)
        assert row[:3] == ("e1", living.stream, -1)

    lived(tmp_path, story, DEAD, LIVING)


def test_one_whose_journal_failed_goes_on_with_what_it_has_taken(tmp_path):
    async def story(dead, living):
        await dead.change("e1")
        living.silent.add(DEAD)
        living.fails = True
        await living.turn()
        living.fails, living.silent = False, set()
        await living.turn()
        assert "e1" in living.events()
        assert living.left() == []

    lived(tmp_path, story, DEAD, LIVING)


def test_a_third_takes_over_what_the_second_has_taken_and_not_written(tmp_path):
    async def story(dead, living, third):
        await dead.change("e1")
        living.silent.add(DEAD)
        living.fails = True
        await living.turn()
        third.silent |= {DEAD, LIVING}
        await third.turn()
        assert "e1" in third.events()
        found = taken_elsewhere(third)
        assert found == {dead.stream: {"e1"}, living.stream: {"e1"}}

    lived(tmp_path, story, DEAD, LIVING, THIRD)


def test_a_node_that_beats_meanwhile_keeps_its_records(tmp_path):
    async def story(dead, living):
        await dead.change("e1")
        living.silent.add(DEAD)
        stale, dead_beat = living.store.read_all, beat_of(DEAD, 1)

        def read_all(table):
            if table is not HEARTBEATS:
                return stale(table)
            pending = Pending()
            pending.settle([dead_beat])
            dead.beat(2)
            return pending

        living.store.read_all = read_all
        await living.turn()
        assert living.events() == []
        assert living.left() == ["e1"]

    lived(tmp_path, story, DEAD, LIVING)


def test_a_claim_against_a_beat_that_is_gone_is_a_conflict(tmp_path):
    async def story(dead, living):
        await dead.change("e1")
        rows = living.store._reader.outbox()
        with pytest.raises(StoreConflict):
            claim = living.takeover._claim(beat_of(DEAD, 9), rows, {})
            await claimed(claim)

    async def claimed(claim):
        done = asyncio.get_running_loop().create_future()

        async def run():
            try:
                done.set_result(await claim)
            except StoreConflict as conflict:
                done.set_exception(conflict)

        from kagimori.pending import start

        start(run())
        await done

    lived(tmp_path, story, DEAD, LIVING)
