"""The place where a backup is written: a folder beside it, until it is whole and has its name.

The folder is its owner's alone. One backup is written at a time; what a killed one left behind is
cleared away by the next. A backup in a bucket is written there as it comes: it is no object until
its last part is there.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from kagimori.backups.form import MAGIC, Writable
from kagimori.backups.places import Place, bucket_of, is_in_bucket
from kagimori.deployment.folder import Unusable
from kagimori.machinery.files import sync_folder
from kagimori.trail.bucket_calls import BucketCalls
from kagimori.trail.bucket_objects import write_object
from kagimori.trail.receiving import NotTaken

_ENDING: Final = ".making"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Kept(Struct, frozen=True):
    """A backup that is whole: its full name, and its length."""

    name: str
    bytes: int


class Workplace(Protocol):
    """The place of a backup that is being made; `store` is the file for the copy of the store.

    Other copies go beside that.
    """

    store: Path

    def clear(self) -> None:
        """Remove the leftovers of an attempt, or of a backup that was killed."""
        ...

    def keep(self, name: str, expected_bytes: int, write: Callable[[Writable], None]) -> Kept:
        """Have a backup written, whole and durable, or not at all; `name` is for a folder.

        Raises:
            OSError, Unusable: it cannot be written. Whatever `write` raises.
        """
        ...


class Files:
    """The files of a backup that is being made. `to` is a file, or a folder that gets one."""

    def __init__(self, folder: Path, to: Path) -> None:
        self._to = to
        self.store, self.part = folder / "store.db", folder / "part"

    def clear(self) -> None:
        for file in self.part.parent.iterdir():
            file.unlink()

    def keep(self, name: str, expected_bytes: int, write: Callable[[Writable], None]) -> Kept:
        del expected_bytes  # files grow as they are written
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(self.part, flags, 0o600), "wb") as out:
            write(out)
            out.flush()
            os.fsync(out.fileno())
            size = out.tell()
        return Kept(str(self.publish(name)), size)

    def publish(self, name: str) -> Path:
        """Give the backup its name, durably. Return where it is."""
        target = self._to / name if self._to.is_dir() else self._to
        self.part.replace(target)
        sync_folder(target.parent)
        return target


class _InBucket:
    """A backup that goes into a bucket; only the copy of the store is here meanwhile."""

    def __init__(self, folder: Path, calls: BucketCalls, name: str) -> None:
        self.store = folder / "store.db"
        self._calls, self._name = calls, name

    def clear(self) -> None:
        for file in self.store.parent.iterdir():
            file.unlink()

    def keep(self, name: str, expected_bytes: int, write: Callable[[Writable], None]) -> Kept:
        name = self._name or name
        try:
            size = write_object(self._calls, name, expected_bytes, write)
        except NotTaken as reason:
            raise Unusable(f"no backup was made: {reason}") from None
        return Kept(f"{self._calls}{name}", size)


@contextlib.contextmanager
def workplace(place: Place, data: Path) -> Iterator[Workplace]:
    """Yield the place for a backup of `data`; what is only for the work is gone afterwards.

    Raises:
        Unusable: nothing can be written there, or a backup is being written there.
    """
    if is_in_bucket(place):
        calls, name = bucket_of(place)
        with tempfile.TemporaryDirectory(prefix="kagimori-") as beside:
            yield _InBucket(Path(beside), calls, name)
        return
    to = Path(place)
    _check_target(to, data)
    folder = to / f".kagimori-backup{_ENDING}" if to.is_dir() else _beside(to)
    lock = _locked(folder, to)
    try:
        files = Files(folder, to)
        files.clear()
        yield files
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _beside(to: Path) -> Path:
    return to.with_name(f".{to.name}{_ENDING}")


def _check_target(to: Path, data: Path) -> None:
    if to.resolve().is_relative_to(data.resolve()):
        raise Unusable(f"{to} is in the data folder itself: keep backups elsewhere")
    if not to.is_dir() and not to.parent.is_dir():
        raise Unusable(f"there is no folder {to.parent}")
    if to.exists() and not to.is_dir():
        try:
            with to.open("rb") as file:
                is_backup = file.read(len(MAGIC)) == MAGIC
        except OSError as problem:
            raise Unusable(f"cannot write {to}: {problem.strerror}") from None
        if not is_backup:
            raise Unusable(f"{to} exists and is no backup: it is not replaced")


def _locked(folder: Path, to: Path) -> int:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as problem:
        raise Unusable(f"cannot write {to}: {problem.strerror}") from None
    try:
        _check_ours(lock, folder)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, Unusable) as problem:
        os.close(lock)
        if isinstance(problem, Unusable):
            raise
        raise Unusable(f"another backup is being written at {to}") from None
    return lock


def _check_ours(folder: int, path: Path) -> None:
    """Check that nobody else made the folder, and can change what is written into it."""
    found = os.fstat(folder)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & _OTHERS:
        raise Unusable(f"{path} can be changed by others: remove it")
