"""A private copy of a store, so that a backup can be read however it is kept, and stays as it is.

A backup may lie on a medium that cannot be written, and may be of an older version: the copy can
be migrated, and SQLite can put its own files beside it.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kagimori.deployment.folder import Layout, Unusable, is_locked
from kagimori.entities.tables import TABLES
from kagimori.machinery.store.admin import AdminStore, StoreUnusable, open_store
from kagimori.machinery.store.copies import copy_store
from kagimori.machinery.store.engines import is_server


@contextlib.contextmanager
def copied_store(place: Path) -> Iterator[AdminStore]:
    """Yield the store in a copy; `place` is a data folder, a backup of one, or a database file.

    Raises:
        Unusable: there is none, it is damaged or of a newer version, or a server is using it.
    """
    database = Layout(place).database if place.is_dir() else place
    elsewhere = Layout(place).store if place.is_dir() else place
    if is_server(elsewhere):
        with _copied_from_server(elsewhere) as store:
            yield store
        return
    if not database.is_file():
        raise Unusable(f"{place} is neither a store nor a folder with one (kagimori.db)")
    if is_locked(Layout(database.parent)):
        raise Unusable(
            f"{database} is being served: decrypt with its server, or make a copy first "
            "(docs/do/back-up-and-restore.md)"
        )
    with tempfile.TemporaryDirectory(prefix="kagimori-") as folder:
        copy = Path(folder) / database.name
        try:
            _copy(database, copy)
            with open_store(copy, tuple(TABLES.values())) as store:
                store.check()
                yield store
        except StoreUnusable as reason:
            raise Unusable(str(reason).replace(str(copy), str(database))) from None
        except OSError as problem:
            raise Unusable(f"cannot copy {database} to {folder}: {problem.strerror}") from None


@contextlib.contextmanager
def _copied_from_server(url: str | Path) -> Iterator[AdminStore]:
    with tempfile.TemporaryDirectory(prefix="kagimori-") as folder:
        copy = Path(folder) / "kagimori.db"
        try:
            copy_store(url, copy)
            with open_store(copy, tuple(TABLES.values())) as store:
                yield store
        except StoreUnusable as reason:
            raise Unusable(str(reason)) from None


def _copy(database: Path, copy: Path) -> None:
    """Copy a database and, if there is one, what SQLite has not taken into it yet."""
    for suffix in ("", "-wal"):
        source = database.with_name(database.name + suffix)
        if source.is_file():
            beside = copy.with_name(copy.name + suffix)
            shutil.copyfile(source, beside)
            beside.chmod(0o600)
