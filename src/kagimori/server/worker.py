"""One API worker: assembles its parts, serves and drains. Started by the supervisor.

Over the control socket (framed messages) it says when it serves, answers what it has counted, and
is asked to drain. When the socket closes, the supervisor is gone, and so is the worker, at once:
nobody would restart the HSM, and another server may already want the folder.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import time
from email.utils import formatdate
from pathlib import Path
from typing import Final

from kagimori.entities.identity_tables import ACCESS_KEY_USES
from kagimori.entities.tables import DENIALS, KEY_USAGES, TABLES
from kagimori.front.wire import Wire
from kagimori.gate.asked import Settings
from kagimori.hsm.client import HsmClient
from kagimori.hsm.holders import Holders
from kagimori.http.front import Front
from kagimori.http.tls import server_context
from kagimori.machinery.chance import uuids
from kagimori.machinery.control import Answer, BadMessage, frame, read_question
from kagimori.machinery.key_sets import KeySets
from kagimori.machinery.once import Once
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.embedded import EmbeddedStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.operations.cloudtrail import registry
from kagimori.operations.kagimori import registry as admin
from kagimori.operations.registry import OPERATIONS
from kagimori.operations.sts.web_identity import AssumeRoleWithWebIdentity
from kagimori.path import Path as RequestPath
from kagimori.rules.authorization.denial import Denials, slots_of
from kagimori.rules.keys.usage_record import Usages
from kagimori.rules.records.service_event import journal_event
from kagimori.rules.records.strangers import Strangers
from kagimori.server.confinement import Confinement
from kagimori.server.domain_keeper import DomainKeeper
from kagimori.server.doors import HEALTH_PAGES, Doors
from kagimori.server.kind import ServerKind
from kagimori.server.timekeeper import Timekeeper
from kagimori.server.worker_config import WorkerConfig
from kagimori.trail.archive import AuditArchive
from kagimori.trail.inspector import TrailInspector
from kagimori.trail.journal import Journal, JournalFailed
from kagimori.trail.keeper import Keeper
from kagimori.trail.lookup import AuditLookup
from kagimori.trail.mark import MARKS
from kagimori.trail.outbox import Row, recover_closed, recover_others, recover_own
from kagimori.trail.recovery import (
    CUT_EVENT,
    Cut,
    JournalDamaged,
    cut_details,
    cut_text,
    damage_text,
)
from kagimori.trail.reserve import RESERVE_BYTES

SERVICES: Final = ("kms", "iam", "sts", "cloudtrail", "kagimori")
HOUSEKEEPING_SECONDS: Final = 1.0
USAGE_TURNS: Final = 5  # how many of them pass between two writings of key uses


class Worker:
    """All parts of one worker. Made on the loop."""

    def __init__(self, config: WorkerConfig, kind: ServerKind, confinement: Confinement) -> None:
        data = Path(config.data)
        self._confinement = confinement
        self._config = config
        self._data = data
        self.telemetry = Telemetry(services=SERVICES)
        self._now = now = kind.clock.now
        draw = self._draw = uuids()
        self._hsm = HsmClient(config.hsm_socket, config.settings.hsm)
        holders = Holders(self._hsm)
        self._store = EmbeddedStore(
            data / "kagimori.db",
            ChangeSignal(data / "run" / "changes", config.streams.index(config.stream)),
            stream=config.stream,
            tables=tuple(TABLES.values()),
        )
        self._journal = Journal(
            data / "audit" / config.stream,
            on_synced=self.telemetry.synced,
            on_failed=lambda failure: self.telemetry.trouble(
                "journal", os.strerror(failure.errno or 0)
            ),
            reserve_bytes=RESERVE_BYTES,
            mark=data / MARKS / config.stream,
        )
        self._store.journal_sequence = lambda: self._journal.end.sequence
        self._archive = AuditArchive(self._journal, self._store)
        who = kind.who(
            self._store.view,
            holders,
            frozenset(config.regions),
            on_use=lambda use: self._store.note(ACCESS_KEY_USES, (use,)),
            is_first=Once(data / "run" / "forwarded").is_first,
        )
        settings = Settings(
            regions=frozenset(config.regions),
            trust_roots=tuple(root.encode() for root in config.trust_roots),
            new_key_choices=kind.new_key_choices,
            unknown_principals=kind.unknown_principals,
            home_region=config.regions[0],
            tracking_started_at=config.created_at,
            operator_account_id=config.operator_account_id,
        )
        self._usages = Usages()
        newest = self._store.newest_version(DENIALS, slots_of(config.stream))
        self._denials = Denials(config.stream, newest)
        self._strangers = Strangers()
        self._timekeeper = Timekeeper(
            view=self._store.view,
            store=self._store,
            key_holder=holders,
            archive=self._archive,
            now=now,
            draw=draw,
            telemetry=self.telemetry,
        )
        self._domain_keeper = DomainKeeper(
            view=self._store.view,
            store=self._store,
            key_holder=holders,
            keeper=Keeper(self._store, self._archive, holders, self.telemetry),
            now=now,
            draw=draw,
            telemetry=self.telemetry,
            settings=config.settings.domains,
            account_id=config.operator_account_id,
            region=config.regions[0],
        )
        self._trail = AuditLookup(data / "audit")
        self._inspector = TrailInspector(data)
        key_sets = KeySets(config.web_identity.given, fetches=config.web_identity.fetches)
        web_identity = AssumeRoleWithWebIdentity(key_sets)
        path = RequestPath(
            wire=Wire(SERVICES),
            who=who,
            operations={
                **OPERATIONS,
                **registry.over(self._trail),
                **admin.over(self._inspector),
                ("sts", web_identity.name): web_identity,
            },
            view=self._store.view,
            store=self._store,
            key_holder=holders,
            archive=self._archive,
            now=now,
            draw=draw,
            telemetry=self.telemetry,
            settings=settings,
            usages=self._usages,
            denials=self._denials,
            strangers=self._strangers,
            on_due=self._timekeeper.wake,
        )
        doors = Doors(path.handle, self.troubles)
        self._front = Front(
            kind.door(doors.handle, self._turn, config.settings),
            config.settings.front,
            new_request_id=draw,
            http_date=lambda: formatdate(time.time(), usegmt=True).encode(),
            on_refused=self.telemetry.refused,
            reserve_pages=HEALTH_PAGES,
        )

    def troubles(self) -> list[str]:
        """Return which parts do not serve; none of them means ready."""
        parts = {
            "store": self._store.healthy,
            "hsm": self._hsm.operational,
            "journal": self._journal.healthy,
        }
        return [name for name, serves in parts.items() if not serves]

    async def run(self) -> None:
        """Serve until the supervisor asks to drain."""
        loop = asyncio.get_running_loop()
        hsm = loop.create_task(self._hsm.run())
        reader, writer = await asyncio.open_unix_connection(
            sock=socket.socket(fileno=self._config.control_fd)
        )
        # From the first moment on: the supervisor may be gone before we serve.
        obeying = loop.create_task(self._obey(reader, writer))
        tasks = [loop.create_task(self._housekeeping())]
        try:
            await self._journal_outbox()
        except JournalDamaged as damaged:
            os.write(self._config.control_fd, refusal_of(damaged))
            os._exit(1)
        while not self._hsm.operational and not obeying.done():
            await asyncio.sleep(0.01)
        if not obeying.done():
            listener = socket.socket(fileno=self._config.listen_fd)
            await self._front.listen(sock=listener, ssl=self._tls())
            if self._config.timer:
                tasks.append(loop.create_task(self._timekeeper.run()))
                tasks.append(loop.create_task(self._domain_keeper.run()))
            writer.write(frame(Answer(0)))
        await obeying
        await self._front.drain(self._config.settings.serve.drain_seconds)
        for task in tasks:
            task.cancel()
        self._store.note(KEY_USAGES, self._usages.take())
        self._record_left_out()
        await self._journal.close()
        self._trail.close()
        self._inspector.close()
        self._store.close()
        self._hsm.close()
        hsm.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await hsm

    async def _turn(self) -> None:
        """Take one turn of the timekeeper, and one of the domain keeper."""
        await self._timekeeper.turn()
        await self._domain_keeper.turn()

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                question = await read_question(reader)
            except (OSError, EOFError, BadMessage):
                os._exit(1)
            if question.asked == "drain":
                return
            answers = {"alive": lambda: True, "snapshot": self.snapshot}
            answer = answers.get(question.asked, lambda: None)
            writer.write(frame(Answer(question.number, value=answer())))

    def snapshot(self) -> dict[str, object]:
        return {
            **self.telemetry.snapshot(),
            "troubles": self.troubles(),
            "connections": self._front.connections_open,
            "in_flight": self._front.requests_in_flight,
            "hsm_in_flight": self._hsm.in_flight,
            "confined": self._confinement.keeps_the_seal_hidden,
            "journal_sequence": self._journal.end.sequence,
            "domains": self._domain_keeper.snapshot() if self._config.timer else None,
        }

    async def _journal_outbox(self) -> None:
        """Put into the journal what a crash kept from it, before anything new goes there."""
        rows, config = self._store.outbox(), self._config
        cuts = [] if self._journal.cut is None else [self._journal.cut]
        try:
            await recover_own(rows, config.stream, self._journal, self._store)
        except JournalFailed as failure:
            self._journal_trouble(str(failure))
        if config.stream == config.streams[0]:
            await self._journal_closed(rows)
            await recover_others(
                rows,
                config.streams,
                self._data / "audit",
                self._store,
                self._journal_trouble,
                closed=config.closed_streams,
                marks=self._data / MARKS,
                on_cut=cuts.append,
            )
        for cut in cuts:
            self._record_cut(cut)

    async def _journal_closed(self, rows: list[Row]) -> None:
        closed, audit = self._config.closed_streams, self._data / "audit"
        try:
            await recover_closed(rows, closed, audit, self._journal, self._store)
        except JournalFailed as failure:
            self._journal_trouble(str(failure))

    def _record_cut(self, cut: Cut) -> None:
        """Record and log what was cut off a journal: bytes that nobody was answered for."""
        self._journal_trouble(cut_text(cut))
        record = journal_event(
            event_id=self._draw(),
            now=self._now(),
            name=CUT_EVENT,
            region=self._config.regions[0],
            details=cut_details(cut),
        )
        self._archive.append(record.line)

    def _record_left_out(self) -> None:
        """Record how many refusals of unidentified callers were not recorded one by one."""
        details = self._strangers.take()
        if details is None:
            return
        record = journal_event(
            event_id=self._draw(),
            now=self._now(),
            name="LeaveOutUnauthenticatedRequests",
            region=self._config.regions[0],
            details=details,
        )
        self._archive.append(record.line)

    def _journal_trouble(self, why: str) -> None:
        self.telemetry.trouble("journal", why)

    async def _housekeeping(self) -> None:
        turns = 0
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self._journal.give_up_waiting()
            if not self._journal.healthy:
                self._journal.probe()
            self._store.note(DENIALS, self._denials.take())
            self._record_left_out()
            turns += 1
            if turns % USAGE_TURNS == 0:
                self._store.note(KEY_USAGES, self._usages.take())

    def _tls(self) -> ssl.SSLContext | None:
        if self._config.certificate is None or self._config.private_key is None:
            return None
        return server_context(Path(self._config.certificate), Path(self._config.private_key))


def refusal_of(damaged: JournalDamaged) -> bytes:
    """Return the reason for not serving, as it goes to the supervisor."""
    return frame(Answer(0, refused=damage_text(damaged)))
