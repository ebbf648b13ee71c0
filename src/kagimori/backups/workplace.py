"""The place where a backup is written: a folder beside it, until it is whole and has its name.

The folder is its owner's alone. One backup is written at a time; what a killed one left behind is
cleared away by the next.
"""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kagimori.backups.form import MAGIC
from kagimori.deployment.folder import Unusable
from kagimori.machinery.files import sync_folder

_ENDING: Final = ".making"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Workplace:
    """The files of a backup that is being made. `to` is a file, or a folder that gets one."""

    def __init__(self, folder: Path, to: Path) -> None:
        self._to = to
        self.store, self.part = folder / "store.db", folder / "part"

    def clear(self) -> None:
        """Remove all files, of this backup or of one that was killed."""
        for file in self.part.parent.iterdir():
            file.unlink()

    def publish(self, name: str) -> Path:
        """Give the backup its name, durably; `name` is for a folder. Return where it is."""
        target = self._to / name if self._to.is_dir() else self._to
        self.part.replace(target)
        sync_folder(target.parent)
        return target


@contextlib.contextmanager
def workplace(to: Path, data: Path) -> Iterator[Workplace]:
    """Yield the place for a backup of `data` at `to`; it is gone afterwards, whatever happens.

    Raises:
        Unusable: nothing can be written there, or a backup is being written there.
    """
    _check_target(to, data)
    folder = to / f".kagimori-backup{_ENDING}" if to.is_dir() else _beside(to)
    lock = _locked(folder, to)
    try:
        place = Workplace(folder, to)
        place.clear()
        yield place
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
