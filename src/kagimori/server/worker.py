"""One API worker: serves with its parts, keeps house, and drains. Started by the supervisor.

Over the control socket (framed messages) it says when it serves, answers what it has counted, and
is asked to drain. When the socket closes, the supervisor is gone, and so is the worker, at once:
nobody would restart the HSM, and another server may already want the folder.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from pathlib import Path
from typing import Final

from kagimori.entities.node_tables import TAKEN_RECORDS
from kagimori.entities.tables import DENIALS, KEY_USAGES
from kagimori.http.tls import server_context
from kagimori.machinery.control import Answer, BadMessage, frame, read_question
from kagimori.rules.records.service_event import journal_event
from kagimori.server.confinement import Confinement
from kagimori.server.kind import ServerKind
from kagimori.server.parts import Parts
from kagimori.server.worker_config import WorkerConfig
from kagimori.trail.journal import JournalFailed
from kagimori.trail.mark import MARKS
from kagimori.trail.outbox import Row, recover_closed, recover_others, recover_own, rows_of_node
from kagimori.trail.recovery import (
    CUT_EVENT,
    Cut,
    JournalDamaged,
    cut_details,
    cut_text,
    damage_text,
)

HOUSEKEEPING_SECONDS: Final = 1.0
USAGE_TURNS: Final = 5  # how many of them pass between two writings of key uses


class Worker:
    """One worker. Made on the loop."""

    def __init__(self, config: WorkerConfig, kind: ServerKind, confinement: Confinement) -> None:
        self._confinement = confinement
        self._config = config
        self._data = Path(config.data)
        self._parts = Parts(config, kind)

    async def run(self) -> None:
        """Serve until the supervisor asks to drain."""
        loop = asyncio.get_running_loop()
        hsm = loop.create_task(self._parts.hsm.run())
        reader, writer = await asyncio.open_unix_connection(
            sock=socket.socket(fileno=self._config.control_fd)
        )
        # From the first moment on: the supervisor may be gone before we serve.
        obeying = loop.create_task(self._obey(reader, writer))
        tasks = [
            loop.create_task(self._housekeeping()),
            loop.create_task(self._parts.outside.run()),
            loop.create_task(self._parts.store_guard.run()),
        ]
        try:
            await self._journal_outbox()
        except JournalDamaged as damaged:
            os.write(self._config.control_fd, refusal_of(damaged))
            os._exit(1)
        while not self._parts.is_ready_to_listen and not obeying.done():
            await asyncio.sleep(0.01)
        if not obeying.done():
            listener = socket.socket(fileno=self._config.listen_fd)
            await self._parts.front.listen(sock=listener, ssl=self._tls())
            if self._config.timer:
                tasks += [loop.create_task(run()) for run in self._parts.duties.rounds()]
            writer.write(frame(Answer(0)))
        await obeying
        if self._config.timer:
            await self._parts.duties.lease_keeper.resign()
        await self._parts.front.drain(self._config.settings.serve.drain_seconds)
        for task in tasks:
            task.cancel()
        self._parts.store.note(KEY_USAGES, self._parts.usages.take())
        self._record_left_out()
        await self._parts.close()
        hsm.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await hsm

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                question = await read_question(reader)
            except (OSError, EOFError, BadMessage):
                os._exit(1)
            if question.asked == "drain":
                return
            answers = {"alive": lambda: True, "snapshot": self._snapshot}
            answer = answers.get(question.asked, lambda: None)
            writer.write(frame(Answer(question.number, value=answer())))

    def _snapshot(self) -> dict[str, object]:
        return {
            **self._parts.telemetry.snapshot(),
            "troubles": self._parts.troubles(),
            "reasons": self._parts.reasons(),
            "connections": self._parts.front.connections_open,
            "in_flight": self._parts.front.requests_in_flight,
            "hsm_in_flight": self._parts.hsm.in_flight,
            "throttled": {} if self._parts.quotas is None else dict(self._parts.quotas.throttled),
            "altered": list(self._parts.store_guard.alarms),
            "confined": self._confinement.keeps_the_seal_hidden,
            "journal_sequence": self._parts.journal.end.sequence,
            "domains": self._parts.duties.domains() if self._config.timer else None,
            "nodes": self._parts.duties.lease_keeper.nodes() if self._config.timer else [],
        }

    async def _journal_outbox(self) -> None:
        """Put into the journal what a crash kept from it, before anything new goes there."""
        config = self._config
        # What belongs to other nodes of a store that is shared is theirs to see to.
        store, node = self._parts.store, config.node.node_id if self._parts.is_shared else None
        rows = rows_of_node(store.outbox(), store.all_at_start(TAKEN_RECORDS), node)
        cuts = [] if self._parts.journal.cut is None else [self._parts.journal.cut]
        try:
            await recover_own(rows, config.stream, self._parts.journal, self._parts.store)
        except JournalFailed as failure:
            self._journal_trouble(str(failure))
        if config.stream == config.streams[0]:
            await self._journal_closed(rows)
            await recover_others(
                rows,
                config.streams,
                self._data / "audit",
                self._parts.store,
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
            await recover_closed(rows, closed, audit, self._parts.journal, self._parts.store)
        except JournalFailed as failure:
            self._journal_trouble(str(failure))

    def _record_cut(self, cut: Cut) -> None:
        """Record and log what was cut off a journal: bytes that nobody was answered for."""
        self._journal_trouble(cut_text(cut))
        record = journal_event(
            event_id=self._parts.draw(),
            now=self._parts.now(),
            name=CUT_EVENT,
            region=self._config.regions[0],
            details=cut_details(cut),
        )
        self._parts.archive.append(record.line)

    def _record_left_out(self) -> None:
        """Record how many refusals of unidentified callers were not recorded one by one."""
        details = self._parts.strangers.take()
        if details is None:
            return
        record = journal_event(
            event_id=self._parts.draw(),
            now=self._parts.now(),
            name="LeaveOutUnauthenticatedRequests",
            region=self._config.regions[0],
            details=details,
        )
        self._parts.archive.append(record.line)

    def _journal_trouble(self, why: str) -> None:
        self._parts.telemetry.trouble("journal", why)

    async def _housekeeping(self) -> None:
        turns = 0
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self._parts.journal.give_up_waiting()
            if not self._parts.journal.healthy:
                self._parts.journal.probe()
            self._parts.store.note(DENIALS, self._parts.denials.take())
            self._record_left_out()
            turns += 1
            if turns % USAGE_TURNS == 0:
                self._parts.store.note(KEY_USAGES, self._parts.usages.take())

    def _tls(self) -> ssl.SSLContext | None:
        if self._config.certificate is None or self._config.private_key is None:
            return None
        return server_context(Path(self._config.certificate), Path(self._config.private_key))


def refusal_of(damaged: JournalDamaged) -> bytes:
    """Return the reason for not serving, as it goes to the supervisor."""
    return frame(Answer(0, refused=damage_text(damaged)))
