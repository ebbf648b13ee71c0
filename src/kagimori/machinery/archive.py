"""The audit archive: the journal, and the records that were committed with a change.

A committed record is durable in the store already; should the journal refuse it for a while, it
waits here (and in the store's outbox, for after a crash) until the journal takes it.
"""

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from kagimori.machinery.journal import Journal, JournalFailed
from kagimori.machinery.journal_files import records_after
from kagimori.pending import Pending, start
from kagimori.ports import Store

RETRY_SECONDS: Final = 1.0


class _Event(msgspec.Struct):
    eventID: str  # noqa: N815 - CloudTrail's name


_event_id = msgspec.json.Decoder(_Event).decode


class AuditArchive:
    """The port's implementation over one journal and one store."""

    def __init__(self, journal: Journal, store: Store) -> None:
        self._journal = journal
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._behind: dict[str, bytes] = {}

    @property
    def healthy(self) -> bool:
        return self._journal.healthy

    def check(self) -> None:
        """Return if the journal takes records, so that a change may be made at all.

        Raises:
            JournalFailed: it does not.
        """
        if not self._journal.healthy:
            self._journal.probe()
            raise JournalFailed("the journal does not take records")

    def append(self, record: bytes) -> Pending[None]:
        return self._journal.append(record)

    def append_committed(self, event_id: str, record: bytes) -> Pending[None]:
        """Settle once the journal has the record, or has refused it: it is durable either way."""
        done: Pending[None] = Pending()
        start(self._append_committed(event_id, record, done))
        return done

    async def _append_committed(self, event_id: str, record: bytes, done: Pending[None]) -> None:
        try:
            await self._journal.append(record)
        except JournalFailed:
            if not self._behind:
                self._loop.call_later(RETRY_SECONDS, self._catch_up)
            self._behind[event_id] = record
        else:
            self._behind.pop(event_id, None)
            self._store.release((event_id,))
        done.settle(None)

    def _catch_up(self) -> None:
        behind, self._behind = self._behind, {}
        for event_id, record in behind.items():
            self.append_committed(event_id, record)


Waiting = list[tuple[str, int, bytes]]


def by_stream(outbox: list[tuple[str, str, int, bytes]]) -> dict[str, Waiting]:
    """Return the outbox's rows (event id, journal sequence, record) of each stream."""
    found: dict[str, Waiting] = {}
    for event_id, stream, sequence, record in outbox:
        found.setdefault(stream, []).append((event_id, sequence, record))
    return found


def not_journalled(
    waiting: Waiting, stream_folder: Path
) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Return what of one stream's outbox a crash kept from its journal, and the ids it does have.

    The journal's end must have been recovered before.
    """
    first = min(sequence for _, sequence, _ in waiting)
    written = {_event_id(record).eventID for record in records_after(stream_folder, first)}
    missing = [(event_id, record) for event_id, _, record in waiting if event_id not in written]
    return missing, [event_id for event_id, _, _ in waiting if event_id in written]
