"""The outbox after a crash: records that were committed with a change, but may not be journalled.

Each goes into its own stream's journal, so that none is there twice: before anything new does.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from kagimori.pending import Pending
from kagimori.ports import Store
from kagimori.rules.chain.stream_names import is_of_node
from kagimori.rules.nodes.shared_trail import TakenRecord
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
        folders = [audit_folder / stream, journal.folder]
        missing = not_named([row[0] for row in theirs], folders)
        for event_id, _, _, record in theirs:
            if event_id in missing:
                await _as_future(journal.append(record))
            store.release((event_id,))


def home_of(row: Row, taken: Mapping[str, TakenRecord]) -> str:
    """Return the stream in which a record on its way counts; another node's, if that took it."""
    found = taken.get(row[0])
    return row[1] if found is None else found.by


def rows_of_node(rows: Iterable[Row], taken: Iterable[TakenRecord], node: str | None) -> list[Row]:
    """Return the rows that count in the streams of a node, as rows of these; None: of all nodes.

    For one that was taken over from another node, the whole journal is to be searched.
    """
    by_id = {one.event_id: one for one in taken}
    found = []
    for row in rows:
        home = home_of(row, by_id)
        if node is None or is_of_node(home, node):
            found.append((row[0], home, row[2] if home == row[1] else -1, row[3]))
    return found


def not_named(event_ids: Iterable[str], folders: Iterable[Path]) -> set[str]:
    """Return the ids of the events whose records are in no file of the folders.

    Lines may be damaged, so this looks for nothing but the member with the id; that stands in a
    record once, and within strings quotes are escaped. Newer files come first.
    """
    missing = set(event_ids)
    for folder in dict.fromkeys(folders):
        for file in reversed(journal_files(folder)):
            if not missing:
                return missing
            content = file.read_bytes()
            missing = {one for one in missing if b'"eventID":"%b"' % one.encode() not in content}
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
