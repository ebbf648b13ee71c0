"""The parts of an API worker, made from its configuration: constructors called, nothing decided.

`worker.py` runs them.
"""

import os
import time
from email.utils import formatdate
from pathlib import Path
from typing import Final

from kagimori.deployment.folder import Layout
from kagimori.entities.identity_tables import ACCESS_KEY_USES
from kagimori.entities.tables import DENIALS, TABLES
from kagimori.front.wire import Wire
from kagimori.gate.asked import Settings
from kagimori.gate.quota import quotas_of
from kagimori.hsm.client import HsmClient
from kagimori.hsm.holders import Holders
from kagimori.http.front import Front
from kagimori.machinery.chance import uuids
from kagimori.machinery.clock import jump_text
from kagimori.machinery.key_sets import KeySets
from kagimori.machinery.once import Once
from kagimori.machinery.quota_counts import QuotaCounts
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.shared_store import open_worker_store
from kagimori.machinery.telemetry import Telemetry
from kagimori.operations.cloudtrail import registry
from kagimori.operations.kagimori import registry as admin
from kagimori.operations.registry import OPERATIONS
from kagimori.operations.sts.web_identity import AssumeRoleWithWebIdentity
from kagimori.path import Path as RequestPath
from kagimori.rules.authorization.denial import Denials, slots_of
from kagimori.rules.keys.usage_record import Usages
from kagimori.rules.quotas.rates import read_rates
from kagimori.rules.records.strangers import Strangers
from kagimori.server.doors import HEALTH_PAGES, Doors
from kagimori.server.duties import Duties
from kagimori.server.kind import ServerKind
from kagimori.server.outside_holders import OutsideHolders
from kagimori.server.store_guard import StoreGuard
from kagimori.server.worker_config import QUOTAS, WorkerConfig
from kagimori.trail.archive import AuditArchive
from kagimori.trail.inspector import TrailInspector
from kagimori.trail.journal import Journal
from kagimori.trail.lookup import AuditLookup
from kagimori.trail.mark import MARKS
from kagimori.trail.reserve import RESERVE_BYTES

DAY_SECONDS: Final = 86_400
SERVICES: Final = ("kms", "iam", "sts", "cloudtrail", "kagimori", "servicequotas")


class Parts:
    """All parts of one worker. Made on the loop."""

    def __init__(self, config: WorkerConfig, kind: ServerKind) -> None:
        layout = Layout(Path(config.data))
        data, self.is_shared = layout.data, layout.is_shared
        self.telemetry = Telemetry(services=SERVICES)
        self.now = now = kind.clock.now
        draw = self.draw = uuids()
        self.hsm = HsmClient(config.hsm_socket, config.settings.hsm)
        self.outside = OutsideHolders(config, self.hsm, self.telemetry)
        holders = Holders(self.hsm, self.outside.of_type)
        self.store = open_worker_store(
            layout.store,
            ChangeSignal(data / "run" / "changes", config.streams.index(config.stream)),
            stream=config.stream,
            tables=tuple(TABLES.values()),
            waits_for_key=True,
            stale_seconds=config.settings.store.stale_seconds,
        )
        self.journal = Journal(
            data / "audit" / config.stream,
            on_synced=self.telemetry.synced,
            on_failed=lambda failure: self.telemetry.trouble(
                "journal", os.strerror(failure.errno or 0)
            ),
            reserve_bytes=RESERVE_BYTES,
            mark=data / MARKS / config.stream,
        )
        self.store.journal_sequence = lambda: self.journal.end.sequence
        self.archive = AuditArchive(self.journal, self.store)
        self.store.on_late = self.archive.append_committed
        self.store_guard = StoreGuard(
            store=self.store,
            hsm=self.hsm,
            archive=self.archive,
            telemetry=self.telemetry,
            now=now,
            draw=draw,
            region=config.regions[0],
            witness=Layout(data).witness,
            sweeps=config.timer,
        )
        who = kind.who(
            self.store.view,
            holders,
            frozenset(config.regions),
            on_use=lambda use: self.store.note(ACCESS_KEY_USES, (use,)),
            is_first=Once(data / "run" / "forwarded").is_first,
        )
        self.hsm.on_sealed = who.forget  # nobody is served by what a worker remembers
        wanted = config.settings.quotas
        rates = read_rates(wanted.profile, wanted.rates)
        settings = Settings(
            regions=frozenset(config.regions),
            trust_roots=tuple(root.encode() for root in config.trust_roots),
            new_key_choices=kind.new_key_choices,
            unknown_principals=kind.unknown_principals,
            home_region=config.regions[0],
            tracking_started_at=config.created_at,
            operator_account_id=config.operator_account_id,
            quota_profile=wanted.profile,
            quota_rates=rates,
            kms_keys_max=wanted.kms_keys,
            approval_valid_seconds=round(config.settings.approvals.valid_days * DAY_SECONDS),
        )
        self.usages = Usages()
        newest = self.store.newest_version(DENIALS, slots_of(config.stream))
        self.denials = Denials(config.stream, newest)
        self.strangers = Strangers()
        place = config.streams.index(config.stream)
        self._counts = QuotaCounts(data / "run" / QUOTAS, place, len(config.streams))
        self.quotas = quotas_of(wanted.profile, rates, self.store.view, self._counts)
        self.duties = Duties(
            config,
            store=self.store,
            key_holder=holders,
            archive=self.archive,
            now=kind.clock.steady(lambda by: self.telemetry.trouble("clock", jump_text(by))),
            draw=draw,
            telemetry=self.telemetry,
            is_sealed=lambda: self.hsm.sealed,
            works=lambda: self.hsm.operational,
            troubles=self.troubles,
            counts=self._counts,
        )
        self.lookup = AuditLookup(data / "audit")
        self.inspector = TrailInspector(data, config.settings.nodes.lease_seconds)
        key_sets = KeySets(config.web_identity.given, fetches=config.web_identity.fetches)
        web_identity = AssumeRoleWithWebIdentity(key_sets)
        path = RequestPath(
            wire=Wire(SERVICES),
            who=who,
            operations={
                **OPERATIONS,
                **registry.over(self.lookup),
                **admin.over(self.inspector),
                ("sts", web_identity.name): web_identity,
            },
            view=self.store.view,
            store=self.store,
            key_holder=holders,
            archive=self.archive,
            now=now,
            draw=draw,
            telemetry=self.telemetry,
            settings=settings,
            usages=self.usages,
            denials=self.denials,
            strangers=self.strangers,
            quotas=self.quotas,
            on_due=self.duties.timekeeper.wake,
        )
        doors = Doors(path.handle, self.troubles, self.reasons)
        self.front = Front(
            kind.door(doors.handle, self.duties.turn, config.settings),
            config.settings.front,
            new_request_id=draw,
            http_date=lambda: formatdate(time.time(), usegmt=True).encode(),
            on_refused=self.telemetry.refused,
            reserve_pages=HEALTH_PAGES,
        )

    @property
    def is_ready_to_listen(self) -> bool:
        """True once the HSM is there, be it sealed, and the store has its key or cannot get it."""
        guard, is_armed = self.store_guard, self.store.is_armed
        return self.hsm.sealed or (self.hsm.operational and (is_armed or guard.has_failed))

    def troubles(self) -> list[str]:
        """Return which parts do not serve; none of them means ready."""
        parts = {
            "store": self.store.healthy and (self.store.is_armed or self.hsm.sealed),
            "sealed" if self.hsm.sealed else "hsm": self.hsm.operational,
            "journal": self.journal.healthy,
        }
        return [name for name, serves in parts.items() if not serves]

    def reasons(self) -> dict[str, str]:
        """Return why a part does not serve, for those that say it."""
        if self.hsm.sealed:
            return {"sealed": "custodians must open it: kagimori unseal"}
        why = {"hsm": self.hsm.why_not_operational, "store": self.store_guard.why_not_armed}
        return {part: reason for part, reason in why.items() if reason}

    async def close(self) -> None:
        """Close files, threads and connections; the journal first."""
        await self.journal.close()
        self.lookup.close()
        self.inspector.close()
        self.store.close()
        self.outside.close()
        self.hsm.close()
        self._counts.close()
