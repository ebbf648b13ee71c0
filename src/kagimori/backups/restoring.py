"""Restores a deployment from a backup, to a place where there is none.

Everything is written into a folder inside that place, and moved up once it is whole and opens; the
store is moved last. So there is a deployment, or none: whoever is killed in between begins again.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from kagimori.backups.journals import TakenIn, newest_record_at_end, take_in
from kagimori.backups.members import STORE, Manifest
from kagimori.backups.opening import unpack
from kagimori.backups.places import Place
from kagimori.backups.settling import settle
from kagimori.deployment.folder import Layout, Unusable, write_private
from kagimori.deployment.opened import opened
from kagimori.deployment.roots import Root
from kagimori.machinery.files import sync_folder
from kagimori.machinery.store.admin import StoreUnusable
from kagimori.machinery.store.copies import copy_between

STAGING: Final = ".restoring"
_ROOT_BYTES_MAX: Final = 1024


class Restored(Struct, frozen=True):
    """A restored deployment. `made_at` is the moment to which its state is back.

    The trail goes further if journals were shipped: `newest_record_at` is the time of its end.
    """

    data: str
    backup_id: str
    made_at: float
    files: int
    plain_bytes: int
    seconds: float
    manifest: Manifest
    shipped: TakenIn
    newest_record_at: float | None
    stages: dict[str, float]


class StopWatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self._began = self._at = time.monotonic()
        self.stages: dict[str, float] = {}

    def stage(self, name: str) -> None:
        """End a stage, which began with the end of the one before."""
        now = time.monotonic()
        self.stages[name], self._at = round(now - self._at, 3), now

    @property
    def total(self) -> float:
        """Seconds from the beginning to the end of the last stage."""
        return round(self._at - self._began, 3)


def restore(
    place: Place, data: Path, root: Root, *, durable: bool = True, store: str | None = None
) -> Restored:
    """Restore a backup; a root that is a file with a seal key goes with it into `data`.

    `store` is the whole URL of an empty database for the store, if that is not to be in `data`.

    Raises:
        Unusable: the database or the place is not empty, or no backup, damaged, of a newer
            version, or not opened by this root; nothing is left behind.
    """
    watch = StopWatch()
    with _staged(data) as staging:
        unpacked = unpack(place, root, staging, durable=durable)
        watch.stage("unpack")
        layout = Layout(staging)
        shipped = take_in(place, unpacked.manifest.shipping_key, layout)
        newest_record_at = newest_record_at_end(layout.audit)
        watch.stage("journals")
        if isinstance(root, Path):
            write_private(layout.seal_key, _read_root(root))
        with opened(staging) as deployment:
            settle(deployment, unpacked)
        last = STORE if store is None else _move_store(layout, store)
        shutil.rmtree(layout.run, ignore_errors=True)
        if durable:
            for folder in (staging, *(one for one in staging.rglob("*") if one.is_dir())):
                sync_folder(folder)
        _move_up(staging, data, last)
        watch.stage("settle")
    return Restored(
        data=str(data),
        backup_id=unpacked.header.backup_id,
        made_at=unpacked.header.made_at,
        files=unpacked.files,
        plain_bytes=unpacked.plain_bytes,
        seconds=watch.total,
        manifest=unpacked.manifest,
        shipped=shipped,
        newest_record_at=newest_record_at,
        stages=watch.stages,
    )


@contextlib.contextmanager
def _staged(data: Path) -> Iterator[Path]:
    """Yield a folder inside the place of the new deployment; undo everything on failure.

    Raises:
        Unusable: the place is not empty, cannot be written, or is being restored to.
    """
    existed = data.is_dir()
    with _written(data), contextlib.ExitStack() as stack:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unusable(f"something is being restored to {data}") from None
        if not _is_free(data):
            raise Unusable(f"{data} is not empty: restore to a new folder")
        _clear(data)
        staging = data / STAGING
        staging.mkdir(mode=0o700)
        try:
            yield staging
        except BaseException:
            _clear(data)
            if not existed:
                data.rmdir()
            raise


@contextlib.contextmanager
def _written(data: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise Unusable(f"cannot write {data}: {problem.strerror}") from None


def _is_free(data: Path) -> bool:
    """Return whether a folder is empty, or holds the leftovers of a restore that was killed."""
    names = {one.name for one in data.iterdir()}
    return not names or (STAGING in names and not Layout(data).is_deployment)


def _clear(data: Path) -> None:
    for left in data.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


def _read_root(root: Path) -> bytes:
    with root.open("rb") as file:
        return file.read(_ROOT_BYTES_MAX)


def _move_store(layout: Layout, store: str) -> str:
    """Copy the store into an empty database; return the name of the file that names it.

    Raises:
        Unusable: the database cannot be used, or is not empty; nothing is in it then.
    """
    try:
        copy_between(layout.database, store)
    except StoreUnusable as reason:
        raise Unusable(f"{reason}: give an empty database") from None
    for file in layout.data.glob(f"{STORE}*"):
        file.unlink()
    write_private(layout.store_url, store.encode() + b"\n")
    return layout.store_url.name


def _move_up(staging: Path, data: Path, last: str) -> None:
    """Move everything to its place, the store or its URL last: with it there is a deployment."""
    store = staging / last
    for one in [*(one for one in staging.iterdir() if one.name != last), store]:
        one.rename(data / one.name)
    staging.rmdir()
    sync_folder(data)
