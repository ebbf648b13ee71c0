"""A copy of the store as it is at one moment, taken while others use it."""

import contextlib
import os
import sqlite3
from pathlib import Path

from kagimori.machinery.store.admin import StoreUnusable
from kagimori.machinery.store.migrations import migrations
from kagimori.machinery.store.sqlite import connect


def copy_store(source: Path, target: Path) -> None:
    """Copy a store into a new file, which its owner alone may read; nobody waits for it.

    All pages are read in one step, and so in one transaction: the copy is of one moment, and is
    not begun again when somebody writes meanwhile.

    Raises:
        StoreUnusable: one of them cannot be read or written.
    """
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with (
            contextlib.closing(connect(source, read_only=True)) as reading,
            contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writing,
        ):
            # It need not survive a crash: whoever wants the copy to last sees to that.
            writing.execute("PRAGMA journal_mode = OFF")
            writing.execute("PRAGMA synchronous = OFF")
            reading.backup(writing)
    except (sqlite3.Error, OSError) as problem:
        raise StoreUnusable(f"{source} cannot be copied: {problem}") from None


def newest_schema() -> int:
    """Return the number of the newest schema that this version knows."""
    return migrations()[-1][0]
