"""Arms a worker's store with the key of the HSM, looks through it, and alarms.

Every worker gets the key once its HSM is open. One of a node looks through the whole store at its
start, and again whenever somebody else may have written to it. What is found is logged, recorded
and announced once, and every worker loads anew what it had from the store.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from kagimori.hsm.client import HsmClient, HsmGone
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.pending import start
from kagimori.ports import StoreFailed
from kagimori.rules.integrity.altered import Altered
from kagimori.rules.records.service_event import ServiceRecord, journal_event
from kagimori.server.rounds import Rounds
from kagimori.trail.archive import AuditArchive
from kagimori.trail.journal import JournalFailed
from kagimori_boundary.commands import DeriveIntegrityKey
from kagimori_boundary.replies import Bytes

ALTERED_EVENT: Final = "DetectAlteredStore"
ARM_SECONDS: Final = 0.02  # between looks whether the HSM is open
LOOK_SECONDS: Final = 1.0  # between looks whether somebody has written
ALARMS_MAX: Final = 1000
# Sweeps take at most a twentieth of the time, step by step: requests must not notice them.
_REST: Final = 20.0
_STEP_REST: Final = 19.0


class StoreGuard(Rounds):
    """One worker's; `sweeps` in one worker of a node."""

    def __init__(
        self,
        *,
        store: WorkerStore,
        hsm: HsmClient,
        archive: AuditArchive,
        telemetry: Telemetry,
        now: Callable[[], float],
        draw: Callable[[], str],
        region: str,
        witness: Path,
        sweeps: bool,
    ) -> None:
        super().__init__("store", telemetry)
        self._store, self._hsm, self._archive = store, hsm, archive
        self._now, self._draw, self._region = now, draw, region
        self._witness, self._sweeps = witness, sweeps
        self._why = ""
        self._alarms: dict[str, None] = {}
        self._is_sweeping, self._busy_seconds = False, 0.0
        self._swept: int | None = None
        self._not_before, self._pause = 0.0, ARM_SECONDS
        store.on_altered = self.alarm

    @property
    def why_not_armed(self) -> str:
        """The reason for which the store is not served though the HSM is open; empty if it is."""
        return "" if self._store.is_armed else self._why

    @property
    def has_failed(self) -> bool:
        """True once the store could not be armed though the HSM is open."""
        return bool(self.why_not_armed)

    @property
    def alarms(self) -> Sequence[str]:
        """The alterations, in words."""
        return list(self._alarms)

    async def run(self, may: Callable[[], bool] = lambda: True) -> None:
        """Take turns until cancelled."""
        while True:
            if may():
                await self.turn()
            await asyncio.sleep(self._pause)

    async def step(self) -> bool:
        """Arm the store, or look at some more rows."""
        if not self._store.is_armed:
            await self._arm()
        elif self._sweeps:
            await self._sweep()
        else:
            self._pause = LOOK_SECONDS
        return False

    def alarm(self, altered: Altered) -> None:
        """Log, record and announce one alteration, the first time."""
        text = str(altered)
        if text in self._alarms or len(self._alarms) >= ALARMS_MAX:
            return
        self._alarms[text] = None
        self._telemetry.trouble("StoreAltered", text)
        record = journal_event(
            event_id=self._draw(),
            now=round(self._now(), 3),
            name=ALTERED_EVENT,
            region=self._region,
            details={
                "table": altered.table,
                "key": list(altered.key),
                "problem": altered.problem.value,
            },
        )
        start(self._keep(record))

    async def _keep(self, record: ServiceRecord) -> None:
        try:
            await self._store.distrust(record.event_id, record.line)
            await self._archive.append_committed(record.event_id, record.line)
        except (StoreFailed, JournalFailed):
            try:
                await self._archive.append(record.line)
            except JournalFailed as failure:
                self._telemetry.trouble("journal", str(failure))

    async def _arm(self) -> None:
        self._pause = ARM_SECONDS
        if not self._hsm.operational:
            return
        try:
            reply = await self._hsm.perform(DeriveIntegrityKey())
            if isinstance(reply, Bytes) and reply.value:
                await self._store.arm(reply.value, self._witness)
        except (StoreFailed, HsmGone) as failure:
            if str(failure) != self._why:
                self._why = str(failure)
                self._telemetry.trouble("store", self._why)

    async def _sweep(self) -> None:
        began = time.monotonic()
        if not self._is_sweeping:
            self._pause = LOOK_SECONDS
            version = await self._store.others_version()
            if began < self._not_before or (version is not None and version == self._swept):
                return
            self._is_sweeping, self._busy_seconds, self._swept = True, 0.0, version
        found = await self._store.sweep()
        took = time.monotonic() - began
        self._busy_seconds += took
        for altered in found or ():
            self.alarm(altered)
        if found is None:
            self._not_before = time.monotonic() + _REST * self._busy_seconds
            self._is_sweeping, self._pause = False, LOOK_SECONDS
        else:
            self._pause = _STEP_REST * took
