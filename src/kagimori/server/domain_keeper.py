"""Rotates domain keys when they are due, has every token wrapped anew, and destroys what rested.

One worker of a node does it, beside the timekeeper. What it has done stands in the store alone, in
one entity, so that it goes on after a crash wherever it was: `turn` looks what is there, and takes
the next step.

    rotate    a current key is old enough: the rings get new ones, kept before they are in force
    rewrap    a key is retired: tokens under it are looked for and wrapped anew, some a second
    close     it has rested: from this commit on the store takes in no further token under it
    destroy   a whole search after that has found none: the rings are kept without it
"""

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from kagimori.entities.tables import CLOSED_DOMAIN_KEYS, DOMAINS
from kagimori.machinery.telemetry import Telemetry
from kagimori.ports import Ask, KeyHolder, Put, Store, StoreConflict, View, resolved
from kagimori.rules.keys.domains import (
    ALL,
    CLOSED,
    CURRENT,
    RETIRED,
    ClosedDomainKey,
    DomainKey,
    Domains,
    closed,
    due_for_closing,
    due_for_rotation,
    listed_in,
    succeeded,
)
from kagimori.rules.records.service_event import ServiceRecord, domain_event
from kagimori.server.rewrapping import Rewrapping
from kagimori.server.rounds import Rounds
from kagimori.settings import DomainKeys as DomainSettings
from kagimori.trail.keeper import Keeper
from kagimori_boundary.commands import (
    Command,
    DescribeDomains,
    DestroyDomainKeys,
    RotateDomainKeys,
)
from kagimori_boundary.replies import DomainKeys, Failed, Reply, SealedDomains

_STATES: Final = {"current": CURRENT, "retired": RETIRED, "closed": CLOSED}
_HOUR, _DAY = 3600.0, 86_400.0


class DomainKeeper(Rounds):
    """Takes the next step in the life of domain keys, once a second."""

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
        settings: DomainSettings,
        account_id: str,
        region: str,
        holds: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__("domain keys", telemetry, holds)
        self._view, self._store, self._key_holder = view, store, key_holder
        self._keeper, self._now, self._draw = keeper, now, draw
        self._settings = settings
        self._account_id, self._region = account_id, region
        self._seen: Domains | None = None
        self.rewrapping = Rewrapping(
            view=view,
            store=store,
            key_holder=key_holder,
            keep=self._keep,
            telemetry=telemetry,
            most=settings.rewraps_per_second,
        )

    def snapshot(self) -> dict[str, Any]:
        """Return how many domain keys there are by state, and how far the wrapping is."""
        counts = Counter(key.state for key in self._seen.keys) if self._seen else Counter()
        progress = self.rewrapping.progress
        return {
            "keys": {name: counts[state] for name, state in _STATES.items()},
            **progress._asdict(),
        }

    async def step(self) -> bool:
        """Take one step; return whether another may follow at once."""
        with contextlib.suppress(StoreConflict):  # somebody else has rotated: look again
            return await self._step()
        return False

    async def _step(self) -> bool:
        if not self._store.is_fresh():
            await self._store.refresh()
        domains: Domains | None = await resolved(self._view.one, DOMAINS, (ALL,))
        self._seen = domains
        if domains is None:
            return False
        now = round(self._now(), 3)
        if not domains.keys:
            return await self._list(domains)
        due = due_for_rotation(domains, now, self._settings.rotation_hours * _HOUR)
        if due:
            return await self._rotate(domains, due, now)
        if not await self.rewrapping.is_done(domains, now):
            return False
        rested = due_for_closing(domains, now, self._settings.keep_days * _DAY)
        if rested:
            return await self._close(domains, rested, now)
        shut = [key for key in domains.stale if key.closed_at is not None]
        return bool(shut) and await self._destroy(domains, shut, now)

    async def _list(self, domains: Domains) -> bool:
        """Learn which keys are in the rings, of a store that was made before this was kept."""
        reply = await self._asked(DescribeDomains())
        if not isinstance(reply, DomainKeys):
            return False
        await self._keep_domains("ListDomainKeys", listed_in(domains, reply.keys), domains, ())
        return True

    async def _rotate(self, domains: Domains, names: Sequence[str], now: float) -> bool:
        reply = await self._asked(RotateDomainKeys(domains.sealed, list(names), now))
        if not isinstance(reply, SealedDomains):
            return False
        successor = succeeded(domains, reply.sealed_domains, reply.keys)
        made = [key for key in successor.keys if key.key_id not in _ids(domains.keys)]
        await self._keep_domains("RotateDomainKey", successor, domains, made)
        return True

    async def _close(self, domains: Domains, keys: Sequence[DomainKey], now: float) -> bool:
        puts = [
            Put(CLOSED_DOMAIN_KEYS, ClosedDomainKey(key_id=key.key_id, closed_at=now))
            for key in keys
        ]
        successor = closed(domains, keys, now)
        await self._keep_domains("CloseDomainKey", successor, domains, keys, further=puts)
        return True

    async def _destroy(self, domains: Domains, keys: Sequence[DomainKey], now: float) -> bool:
        ids = [bytes.fromhex(key.key_id) for key in keys]
        reply = await self._asked(DestroyDomainKeys(domains.sealed, ids, now))
        if not isinstance(reply, SealedDomains):
            return False
        successor = succeeded(domains, reply.sealed_domains, reply.keys)
        await self._keep_domains("DestroyDomainKey", successor, domains, keys, destroys=True)
        return True

    async def _asked(self, command: Command) -> Reply:
        reply = await self._key_holder.perform(Ask(None, command))
        if isinstance(reply, Failed):
            self._telemetry.trouble("domain keys", f"the HSM refused: {reply.failure.name}")
        return reply

    async def _keep_domains(
        self,
        name: str,
        successor: Domains,
        before: Domains,
        keys: Sequence[DomainKey],
        *,
        further: Sequence[Put] = (),
        destroys: bool = False,
    ) -> None:
        put = Put(DOMAINS, successor, before, destroys=destroys)
        named = [{"domain": key.domain, "domainKeyId": key.key_id} for key in keys]
        await self._keep((put, *further), name, {"domainKeys": named})

    async def _keep(self, writes: Sequence[Put], name: str, details: dict[str, object]) -> None:
        """Commit changes with their record.

        Raises:
            StoreConflict: somebody else has changed what this was decided upon.
        """
        record: ServiceRecord = domain_event(
            event_id=self._draw(),
            now=round(self._now(), 3),
            name=name,
            account_id=self._account_id,
            region=self._region,
            details=details,
        )
        await self._keeper.keep(writes, record.event_id, record.line)


def _ids(keys: Sequence[DomainKey]) -> frozenset[str]:
    return frozenset(key.key_id for key in keys)
