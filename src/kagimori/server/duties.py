"""All that time asks for, in one worker: made together, and run by one worker of a node.

What one node of the deployment does alone goes through the fenced store, so that nothing is
changed by a node that does not hold the lease. A seal is kept by the node whose custodians made it.
"""

import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from kagimori.deployment.folder import Layout
from kagimori.machinery.quota_counts import QuotaCounts
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.ports import Archive, KeyHolder
from kagimori.rules.nodes.node import NodeReport
from kagimori.server.domain_keeper import DomainKeeper
from kagimori.server.fenced import FencedStore
from kagimori.server.lease_keeper import LeaseKeeper, first_beat
from kagimori.server.quota_shares import QuotaShares
from kagimori.server.seal_keeper import SealKeeper
from kagimori.server.store_keeper import StoreKeeper
from kagimori.server.takeover import Takeover
from kagimori.server.timekeeper import Timekeeper
from kagimori.server.worker_config import WorkerConfig
from kagimori.trail.keeper import Keeper


class Duties:
    """The timekeeper, the keepers of domain keys, key stores and seals, and that of the lease."""

    def __init__(
        self,
        config: WorkerConfig,
        *,
        store: WorkerStore,
        key_holder: KeyHolder,
        archive: Archive,
        now: Callable[[], float],
        draw: Callable[[], str],
        telemetry: Telemetry,
        is_sealed: Callable[[], bool],
        works: Callable[[], bool],
        troubles: Callable[[], list[str]],
        counts: QuotaCounts,
    ) -> None:
        self._is_sealed, self._store = is_sealed, store
        view, account_id, region = store.view, config.operator_account_id, config.regions[0]
        alone = FencedStore(store, view, config.node.node_id)
        keeper = Keeper(store, archive, key_holder, telemetry)
        fenced_keeper = Keeper(alone, archive, key_holder, telemetry)
        self.timekeeper = Timekeeper(
            view=view,
            store=alone,
            key_holder=key_holder,
            archive=archive,
            now=now,
            draw=draw,
            telemetry=telemetry,
            holds=alone.holds,
        )
        self.domain_keeper = DomainKeeper(
            view=view,
            store=alone,
            key_holder=key_holder,
            keeper=fenced_keeper,
            now=now,
            draw=draw,
            telemetry=telemetry,
            settings=config.settings.domains,
            account_id=account_id,
            region=region,
            holds=alone.holds,
        )
        self.store_keeper = StoreKeeper(
            store=alone,
            key_holder=key_holder,
            keeper=fenced_keeper,
            now=now,
            draw=draw,
            telemetry=telemetry,
            holds=alone.holds,
        )
        self.seal_keeper = SealKeeper(
            view=view,
            store=store,
            key_holder=key_holder,
            keeper=keeper,
            now=now,
            draw=draw,
            telemetry=telemetry,
            account_id=account_id,
            region=region,
        )
        layout = Layout(Path(config.data))
        self.takeover = Takeover(
            stream=config.stream,
            audit=layout.audit,
            store=store,
            keeper=fenced_keeper,
            archive=archive,
            is_shared=layout.is_shared,
            silent=self._silent,
            now=now,
            draw=draw,
            telemetry=telemetry,
            account_id=account_id,
            region=region,
            holds=alone.holds,
        )
        self._lease_seconds = config.settings.nodes.lease_seconds
        shares = QuotaShares(counts)
        self.lease_keeper = LeaseKeeper(
            beat=first_beat(config.node, now()),
            store=store,
            keeper=keeper,
            able=lambda: not is_sealed() and store.is_armed,
            works=works,
            now=now,
            draw=draw,
            telemetry=telemetry,
            settings=config.settings.nodes,
            account_id=account_id,
            region=region,
            report=lambda: NodeReport(
                workers=len(config.streams),
                troubles=tuple(troubles()),
                domains=self.domain_keeper.snapshot(),
                asked=dict(shares.measure(time.monotonic())) if layout.is_shared else {},
            ),
            heard=lambda others: shares.hear([one.asked for one in others]),
        )

    def domains(self) -> dict[str, Any]:
        """Return how far domain keys are, as the node reports it that keeps them."""
        leader = self.lease_keeper.leader
        reported = None if leader is None else leader.domains
        return reported or self.domain_keeper.snapshot()

    def rounds(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Return the rounds that one worker of a node takes.

        While the HSM is sealed, what would need it waits; attempts to open it are recorded.
        """

        def may() -> bool:
            return not self._is_sealed() and self._store.is_armed

        return [
            self.lease_keeper.run,
            partial(self.timekeeper.run, may),
            partial(self.domain_keeper.run, may),
            partial(self.store_keeper.run, may),
            self.seal_keeper.run,
            self.takeover.run,
        ]

    def _silent(self) -> frozenset[str]:
        return self.lease_keeper.watch.silent(self._lease_seconds)

    async def turn(self) -> None:
        """Take one turn of everybody who does what time asks for."""
        for rounds in (self.timekeeper, self.domain_keeper, self.store_keeper):
            await rounds.turn()
