"""The heartbeat of a node, and the lease of what one node at a time does.

One worker of each node has it. It beats, looks at the beats of the others, and takes the lease
once its holder has been silent before its own eyes for the lease's length. It gives the lease back
when it is to stop and others live. Nothing here is a promise: the promise is in `server/fenced.py`.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kagimori.entities.node_tables import HEARTBEATS, LEASES
from kagimori.machinery.store.copies import newest_schema
from kagimori.machinery.telemetry import Telemetry
from kagimori.ports import Expect, Put, Store, StoreConflict, Write
from kagimori.rules.entity import changed
from kagimori.rules.nodes.node import NOBODY, TIME, Heartbeat, Lease, NodeReport
from kagimori.rules.nodes.watch import Watch
from kagimori.rules.records.service_event import journal_event
from kagimori.server.rounds import TURN_SECONDS, Rounds
from kagimori.server.worker_config import NodeFacts
from kagimori.settings import Nodes as NodeSettings
from kagimori.trail.keeper import Keeper

GAP_TURNS: Final = 3  # between two looks; what is longer was a pause of our own


def _ignored(reports: Sequence[NodeReport]) -> None:
    """Do nothing with the reports of other nodes."""


class LeaseKeeper(Rounds):
    """Beats once in a while, and sees to it that one node has the lease."""

    def __init__(
        self,
        *,
        beat: Heartbeat,
        store: Store,
        keeper: Keeper,
        able: Callable[[], bool],
        works: Callable[[], bool] = lambda: True,
        now: Callable[[], float],
        draw: Callable[[], str],
        telemetry: Telemetry,
        settings: NodeSettings,
        region: str,
        account_id: str,
        monotonic: Callable[[], float] = time.monotonic,
        report: Callable[[], NodeReport] = NodeReport,
        heard: Callable[[Sequence[NodeReport]], None] = _ignored,
    ) -> None:
        """Keep the heartbeat `beat`; `able` says whether this node could do what time asks for.

        Where `works` does not hold for a lease's length, it cannot either: its HSM does not come
        back. `report` is what the node says of itself with each beat; `heard` is shown the
        newest reports of the others that live.
        """
        super().__init__("lease", telemetry)
        self._beat, self._store, self._keeper, self._able = beat, store, keeper, able
        self._now, self._draw, self._monotonic = now, draw, monotonic
        self._settings, self._region, self._account_id = settings, region, account_id
        self._report, self._heard = report, heard
        self._able = lambda: able() and not self._is_broken()
        self._works, self._worked_at = works, monotonic()
        self._beats: Mapping[str, Heartbeat] = {}
        self._holder = NOBODY
        self._beat_at: float | None = None
        self.watch = Watch(GAP_TURNS * max(TURN_SECONDS, settings.heartbeat_seconds))

    async def step(self) -> bool:
        """Beat if it is time, look at the others, and take or give back the lease."""
        at = self._monotonic()
        if self._beat_at is None or at - self._beat_at >= self._settings.heartbeat_seconds:
            self._beat_at = at
            self._beat = changed(self._beat, at=round(self._now(), 3), report=self._report())
            self._store.note(HEARTBEATS, (self._beat,))
        if self._works():
            self._worked_at = at
        found = await self._store.read_all(HEARTBEATS)
        beats = self._beats = {beat.node_id: beat for beat in found}
        leases = {lease.name: lease for lease in await self._store.read_all(LEASES)}
        self._holder = leases[TIME].holder if TIME in leases else NOBODY
        self.watch.look({node: beat.version for node, beat in beats.items()}, at)
        self._heard([beats[node].report for node in sorted(self._others()) if node in beats])
        with contextlib.suppress(StoreConflict):  # another was faster, or the holder lives
            await self._settle(leases.get(TIME), beats)
        return False

    async def resign(self) -> None:
        """Give the lease back, if this node has it and others live, and take it no more."""
        self._able = lambda: False
        await self.turn()

    @property
    def leader(self) -> NodeReport | None:
        """The newest report of the node that has the lease, if that is another one."""
        beat = self._beats.get(self._holder)
        return None if beat is None or beat.node_id == self._beat.node_id else beat.report

    def nodes(self) -> list[dict[str, Any]]:
        """Return the nodes as this one has seen them last, in the members of ListNodes."""
        return [self._shown(beat) for _, beat in sorted(self._beats.items())]

    def _shown(self, beat: Heartbeat) -> dict[str, Any]:
        still = self.watch.still_seconds(beat.node_id)
        return {
            "node_id": beat.node_id,
            "state": "SILENT" if still >= self._settings.lease_seconds else "LIVE",
            "holds_lease": beat.node_id == self._holder,
            "address": beat.address,
            "version": beat.software,
            "schema_version": beat.schema,
            "started_at": beat.started_at,
            "heartbeat_at": beat.at,
            "heartbeat_age_seconds": round(still, 1),
            "workers": beat.report.workers,
            "troubles": list(beat.report.troubles),
        }

    def _is_broken(self) -> bool:
        return self._monotonic() - self._worked_at >= self._settings.lease_seconds

    async def _settle(self, lease: Lease | None, beats: Mapping[str, Heartbeat]) -> None:
        mine = self._beat.node_id
        if lease is not None and lease.holder == mine:
            if not self._able() and self._others():
                await self._hand_to(NOBODY, lease)
            return
        if not self._able():
            return
        if lease is None or lease.holder == NOBODY:
            await self._hand_to(mine, lease)
        elif lease.holder not in beats:
            await self._hand_to(mine, lease)  # a node that was removed, or never began
        elif self.watch.still_seconds(lease.holder) >= self._settings.lease_seconds:
            # Should it have beaten after all since we looked, it keeps the lease.
            await self._hand_to(mine, lease, Expect(HEARTBEATS, beats[lease.holder]))

    async def _hand_to(self, node: str, lease: Lease | None, *further: Write) -> None:
        successor = Lease(holder=node) if lease is None else changed(lease, holder=node)
        record = journal_event(
            event_id=self._draw(),
            now=round(self._now(), 3),
            name="TakeLease" if node else "GiveBackLease",
            region=self._region,
            account_id=self._account_id,
            details={
                "lease": TIME,
                "node": self._beat.node_id,
                "before": NOBODY if lease is None else lease.holder,
            },
        )
        writes = (*further, Put(LEASES, successor, lease))
        await self._keeper.keep(writes, record.event_id, record.line)

    def _others(self) -> frozenset[str]:
        living = self.watch.beating(self._settings.lease_seconds)
        return living - {self._beat.node_id}


def first_beat(node: NodeFacts, now: float) -> Heartbeat:
    """Return the heartbeat from which a node that starts now goes on.

    Its count begins anywhere, so that after a start it is not as it was before.
    """
    return Heartbeat(
        node_id=node.node_id,
        at=now,
        started_at=round(now, 3),
        address=node.address,
        software=node.software,
        schema=newest_schema(),
        version=secrets.randbits(40),
    )
