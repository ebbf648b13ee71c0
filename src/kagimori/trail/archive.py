"""The audit archive: the journal, and the records that were committed with a change.

A committed record is durable in the store already; should the journal refuse it for a while, it
waits here (and in the store's outbox, for after a crash) until the journal takes it.
"""

import asyncio
from typing import Final

from kagimori.pending import Pending, start
from kagimori.ports import Store
from kagimori.trail.journal import Journal, JournalFailed

RETRY_SECONDS: Final = 1.0


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
        """Check that the journal takes records, so that a change may be made at all.

        Raises:
            JournalFailed: it does not.
        """
        if not self._journal.healthy:
            self._journal.probe()
            raise JournalFailed("the journal does not take records")

    def take(self, record: bytes) -> Pending[None]:
        """Append a record if the journal takes records of what succeeds.

        Raises:
            JournalFailed: it does not.
        """
        if not self._journal.healthy:
            self.check()
        return self._journal.append(record)

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
