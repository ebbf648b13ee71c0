"""Copies of a store as it is at one moment, taken while others use it."""

import contextlib
import os
import sqlite3
from pathlib import Path

from kagimori.machinery.store.admin import StoreUnusable
from kagimori.machinery.store.engines import UnknownEngine, engine_of, is_server
from kagimori.machinery.store.migrations import NewerSchema, migrations
from kagimori.machinery.store.sqlite import connect
from kagimori.machinery.store.transfer import CopiedTable, NotCopied, copy_rows
from kagimori.ports import StoreConflict, StoreFailed


def copy_store(source: str | Path, target: Path) -> None:
    """Copy a store into a new file, which its owner alone may read; nobody waits for it.

    All is read in one transaction: the copy is of one moment, and is not begun again when somebody
    writes meanwhile.

    Raises:
        StoreUnusable: one of them cannot be read or written.
    """
    if is_server(source):
        copy_between(source, target)
        return
    try:
        _make_file(target)
        with (
            contextlib.closing(connect(Path(source), read_only=True)) as reading,
            contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writing,
        ):
            # It need not survive a crash: whoever wants the copy to last sees to that.
            writing.execute("PRAGMA journal_mode = OFF")
            writing.execute("PRAGMA synchronous = OFF")
            reading.backup(writing)
    except (sqlite3.Error, OSError) as problem:
        raise StoreUnusable(f"{source} cannot be copied: {problem}") from None


def copy_between(source: str | Path, target: str | Path) -> list[CopiedTable]:
    """Copy a store into an empty one of whichever engine; return what was copied and checked.

    A file is made if there is none. The schema of both is brought to the newest version.

    Raises:
        StoreUnusable: one of them cannot be used, or the target is not empty; nothing was copied.
    """
    try:
        engines = engine_of(source), engine_of(target)
    except UnknownEngine as reason:
        raise StoreUnusable(str(reason)) from None
    failures: tuple[type[Exception], ...] = (
        *(OSError, StoreFailed, StoreConflict, NewerSchema),
        *(error for engine in engines for error in engine.errors),
    )
    name = str(engines[0])
    try:
        with contextlib.closing(engines[0].open("", (), read_only=True)) as reading:
            name = str(engines[1])
            if not is_server(target) and not Path(target).exists():
                _make_file(Path(target))
            with contextlib.closing(engines[1].open("", ())) as writing:
                reading.hold_still()
                return copy_rows(reading, writing)
    except NotCopied as reason:
        raise StoreUnusable(f"{name} {reason}") from None
    except failures as problem:
        raise StoreUnusable(f"{name} cannot be used: {problem}") from None


def newest_schema() -> int:
    """Return the number of the newest schema that this version knows."""
    return migrations()[-1][0]


def _make_file(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
