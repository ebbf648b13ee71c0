"""The outbox after a crash: records that were committed with a change, but may not be journalled.

Each goes into its own stream's journal, so that none is there twice: before anything new does.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from kagimori.pending import Pending
from kagimori.ports import Store
from kagimori.trail.files import records_after
from kagimori.trail.journal import Journal, JournalFailed

# Event id, stream, the journal's end when it was committed, record.
Row = tuple[str, str, int, bytes]


class _Event(msgspec.Struct):
    eventID: str  # noqa: N815 - CloudTrail's name


_event_id: Final = msgspec.json.Decoder(_Event).decode


async def recover_own(rows: list[Row], stream: str, journal: Journal, store: Store) -> None:
    """Put into a worker's journal what a crash kept from it.

    Raises:
        JournalFailed: not all of it; the rest stays in the outbox, for the next start.
    """
    own = [row for row in rows if row[1] == stream]
    missing, present = not_journalled(own, journal.folder)
    store.release(present)
    for event_id, record in missing:
        await _as_future(journal.append(record))
        store.release((event_id,))


async def recover_others(
    rows: list[Row],
    streams: tuple[str, ...],
    audit_folder: Path,
    store: Store,
    on_failed: Callable[[str], None],
) -> None:
    """Do the same for streams that have no worker any more; `streams` are those that have."""
    for stream in sorted({row[1] for row in rows} - set(streams)):
        journal = Journal(audit_folder / stream)
        try:
            await recover_own(rows, stream, journal, store)
        except JournalFailed as failure:
            on_failed(str(failure))
        await journal.close()


def not_journalled(rows: list[Row], folder: Path) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Return what of one stream's rows its journal does not have, and the ids that it has.

    The journal's end must have been recovered before.
    """
    if not rows:
        return [], []
    first = min(sequence for _, _, sequence, _ in rows)
    written = {_event_id(record).eventID for record in records_after(folder, first)}
    missing = [(event_id, record) for event_id, _, _, record in rows if event_id not in written]
    return missing, [row[0] for row in rows if row[0] in written]


def _as_future(pending: Pending[None]) -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take() -> None:
        try:
            future.set_result(pending.result())
        except JournalFailed as failure:
            future.set_exception(failure)

    pending.then(take)
    return future
