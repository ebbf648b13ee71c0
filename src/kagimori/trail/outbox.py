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
from kagimori.trail.files import journal_files, records_after
from kagimori.trail.journal import Journal, JournalFailed
from kagimori.trail.recovery import Cut, JournalDamaged

# Event id, stream, the journal's end when it was committed, record.
Row = tuple[str, str, int, bytes]


class _Event(msgspec.Struct):
    eventID: str  # noqa: N815 - CloudTrail's name


_event_id: Final = msgspec.json.Decoder(_Event).decode


async def recover_own(rows: list[Row], stream: str, journal: Journal, store: Store) -> None:
    """Put into a worker's journal what a crash kept from it.

    Raises:
        JournalFailed: not all of it; the rest stays in the outbox, for the next start.
        JournalDamaged: the journal cannot be looked through.
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
    *,
    closed: tuple[str, ...] = (),
    marks: Path | None = None,
    on_cut: Callable[[Cut], None] = lambda cut: None,
) -> None:
    """Do the same for open streams that have no worker; `streams` are those that have.

    Raises:
        JournalDamaged: one of them lacks something that was acknowledged.
    """
    for stream in sorted({row[1] for row in rows}.difference(streams, closed)):
        journal = Journal(audit_folder / stream, mark=None if marks is None else marks / stream)
        if journal.cut is not None:
            on_cut(journal.cut)
        try:
            await recover_own(rows, stream, journal, store)
        except JournalFailed as failure:
            on_failed(str(failure))
        await journal.close()


async def recover_closed(
    rows: list[Row], closed: tuple[str, ...], audit_folder: Path, journal: Journal, store: Store
) -> None:
    """Put into a worker's journal what those of closed streams lack, for nothing is added there.

    Raises:
        JournalFailed: not all of it; the rest stays in the outbox, for the next start.
    """
    for stream in closed:
        theirs = [row for row in rows if row[1] == stream]
        missing = _without_trace(theirs, [audit_folder / stream, journal.folder])
        for event_id, _, _, record in theirs:
            if event_id in missing:
                await _as_future(journal.append(record))
            store.release((event_id,))


def _without_trace(rows: list[Row], folders: list[Path]) -> set[str]:
    """Return the ids of the events that no file of the folders names.

    Their lines may be damaged, so this looks for nothing but the ids. Newer files come first.
    """
    missing = {row[0] for row in rows}
    for folder in folders:
        for file in reversed(journal_files(folder)):
            if not missing:
                return missing
            content = file.read_bytes()
            missing = {event_id for event_id in missing if event_id.encode() not in content}
    return missing


def not_journalled(rows: list[Row], folder: Path) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Return the rows of one stream that its journal lacks, and the ids that it has.

    The journal's end must have been recovered before.

    Raises:
        JournalDamaged: a line of it is damaged.
    """
    if not rows:
        return [], []
    first = min(sequence for _, _, sequence, _ in rows)
    try:
        written = {_event_id(record).eventID for record in records_after(folder, first)}
    except ValueError as problem:
        raise JournalDamaged(str(problem)) from None
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
