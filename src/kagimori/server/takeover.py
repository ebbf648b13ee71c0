"""Takes over the records that a silent node left: committed with changes, but not journalled.

The node that holds the lease does it, for nodes whose heartbeat it has watched stand still. First
the store says, in one transaction with the lease and that heartbeat, that a record counts in this
node's stream from now on; then the record goes into the journal. A node that comes back, and has
the record in its own journal after all, does not count it there (`trail/source.py`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from kagimori.entities.node_tables import HEARTBEATS, TAKEN_RECORDS
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.ports import Archive, Expect, Put, Write
from kagimori.rules.chain.stream_names import node_of
from kagimori.rules.entity import changed
from kagimori.rules.nodes.node import Heartbeat
from kagimori.rules.nodes.shared_trail import TakenRecord
from kagimori.rules.records.service_event import journal_event
from kagimori.server.rounds import Rounds
from kagimori.trail.keeper import Keeper
from kagimori.trail.outbox import Row, home_of, not_named

RECORDS_AT_ONCE: Final = 200


class Takeover(Rounds):
    """Looks once a second whether silent nodes have left records."""

    def __init__(
        self,
        *,
        stream: str,
        audit: Path,
        store: WorkerStore,
        keeper: Keeper,
        archive: Archive,
        is_shared: bool,
        silent: Callable[[], frozenset[str]],
        now: Callable[[], float],
        draw: Callable[[], str],
        telemetry: Telemetry,
        region: str,
        account_id: str,
        holds: Callable[[], Awaitable[bool]],
    ) -> None:
        """Take records into `stream`; `keeper` commits only while this node holds the lease."""
        super().__init__("takeover", telemetry, holds)
        self._stream, self._audit, self._store = stream, audit, store
        self._keeper, self._archive, self._silent = keeper, archive, silent
        self._is_shared = is_shared
        self._now, self._draw = now, draw
        self._region, self._account_id = region, account_id

    async def step(self) -> bool:
        """Take over some records of one silent node; return whether there may be more."""
        if not self._is_shared:
            return False
        rows = await self._store.outbox_now()
        taken = {one.event_id: one for one in await self._store.read_all(TAKEN_RECORDS)}
        mine = [row for row in rows if home_of(row, taken) == self._stream != row[1]]
        if mine:  # the journal did not take them after they had been taken over
            await self._journal(mine[:RECORDS_AT_ONCE])
            return True
        homes = {row[0]: home_of(row, taken) for row in rows}
        for node in sorted(self._silent()):
            left = [row for row in rows if node_of(homes[row[0]]) == node][:RECORDS_AT_ONCE]
            if left and await self._take_over(node, left, taken):
                return True
        return False

    async def _take_over(
        self, node: str, rows: Sequence[Row], taken: Mapping[str, TakenRecord]
    ) -> bool:
        beats = [beat for beat in await self._store.read_all(HEARTBEATS) if beat.node_id == node]
        if not beats or node not in self._silent():
            return False
        ids = [row[0] for row in rows]
        missing = not_named(ids, [self._audit / home_of(row, taken) for row in rows])
        self._store.release([event_id for event_id in ids if event_id not in missing])
        wanted = [row for row in rows if row[0] in missing]
        if wanted:
            await self._claim(beats[0], wanted, taken)
            await self._journal(wanted)
        return True

    async def _claim(
        self, beat: Heartbeat, rows: Sequence[Row], taken: Mapping[str, TakenRecord]
    ) -> None:
        """Have the store say that these records count in our stream.

        Raises:
            StoreConflict: the node lives, or this one does not hold the lease any more.
        """
        puts = [self._claimed(row, taken.get(row[0])) for row in rows]
        record = journal_event(
            event_id=self._draw(),
            now=round(self._now(), 3),
            name="TakeOverRecords",
            region=self._region,
            account_id=self._account_id,
            details={"node": beat.node_id, "eventIds": [row[0] for row in rows]},
        )
        writes: tuple[Write, ...] = (Expect(HEARTBEATS, beat), *puts)
        await self._keeper.keep(writes, record.event_id, record.line)

    def _claimed(self, row: Row, before: TakenRecord | None) -> Put:
        if before is not None:
            earlier = (*before.before, before.by)
            return Put(TAKEN_RECORDS, changed(before, by=self._stream, before=earlier), before)
        taken = TakenRecord(event_id=row[0], stream=row[1], by=self._stream)
        return Put(TAKEN_RECORDS, taken)

    async def _journal(self, rows: Sequence[Row]) -> None:
        """Put records into our journal that are not there; then nobody need keep them."""
        missing = not_named([row[0] for row in rows], [self._audit / self._stream])
        for event_id, _, _, record in rows:
            if event_id in missing:
                await self._archive.append(record)
        self._store.release([row[0] for row in rows])
