"""Keeps changes of the seals that a custodian asked the HSM for, and records attempts to open them.

One worker of a node does it, beside the timekeeper, also while the HSM is sealed. A change is
committed with its record, upon the sealed domains as they are kept; the supervisor has it adopted.
"""

from collections.abc import Callable
from typing import Any

from kagimori.entities.tables import DOMAINS
from kagimori.machinery.telemetry import Telemetry
from kagimori.ports import Ask, KeyHolder, Put, Store, StoreConflict, View, resolved
from kagimori.rules.keys.domains import ALL, Domains, succeeded
from kagimori.rules.records.service_event import ServiceRecord, domain_event
from kagimori.server.rounds import Rounds
from kagimori.trail.keeper import Keeper
from kagimori_boundary.commands import MakeSealChange, TakeSealEvents
from kagimori_boundary.replies import Failed, SealChange
from kagimori_boundary.seal_replies import SealEvent, SealEvents


class SealKeeper(Rounds):
    """Asks the HSM once a second what there is to keep and to record."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        key_holder: KeyHolder,
        keeper: Keeper,
        now: Callable[[], float],
        draw: Callable[[], str],
        telemetry: Telemetry,
        account_id: str,
        region: str,
    ) -> None:
        super().__init__("seals", telemetry)
        self._view, self._store, self._key_holder = view, store, key_holder
        self._keeper, self._now, self._draw = keeper, now, draw
        self._account_id, self._region = account_id, region
        self._acknowledged = 0

    async def step(self) -> bool:
        """Record the attempts that are new, and keep a change; return whether more may be there."""
        reply = await self._key_holder.perform(Ask(None, TakeSealEvents(self._acknowledged)))
        if not isinstance(reply, SealEvents):
            return False
        for event in reply.events:
            await self._record(event)
            self._acknowledged = event.number
        if reply.has_change:
            await self._keep_change()
        return bool(reply.events)

    async def _record(self, event: SealEvent) -> None:
        details: dict[str, Any] = {
            "sealId": event.seal_id,
            "kind": event.kind,
            "result": event.problem or "OK",
        }
        if event.needed:
            details |= {"sharesGiven": event.given, "sharesNeeded": event.needed}
        record = self._event(event.name, details, event.at)
        await self._keeper.keep((), record.event_id, record.line)

    async def _keep_change(self) -> None:
        if not self._store.is_fresh():
            await self._store.refresh()
        domains: Domains | None = await resolved(self._view.one, DOMAINS, (ALL,))
        if domains is None:
            return
        reply = await self._key_holder.perform(Ask(None, MakeSealChange(domains.sealed)))
        if isinstance(reply, Failed):
            self._telemetry.trouble("seals", f"the HSM refused: {reply.failure.name}")
        if not isinstance(reply, SealChange):
            return
        seal = reply.seal
        details = {"sealId": seal.seal_id, "kind": seal.kind, "label": seal.label}
        record = self._event(reply.name, details, self._now())
        successor = succeeded(domains, reply.sealed_domains, reply.keys)
        try:
            put = Put(DOMAINS, successor, domains)
            await self._keeper.keep((put,), record.event_id, record.line)
        except StoreConflict:
            return  # somebody else has changed the domains: again, in the next turn

    def _event(self, name: str, details: dict[str, Any], at: float) -> ServiceRecord:
        return domain_event(
            event_id=self._draw(),
            now=round(at, 3),
            name=name,
            account_id=self._account_id,
            region=self._region,
            details=details,
        )
