"""Places of backups: a file, a folder of them, or a bucket; and how one in there is read.

`s3://BUCKET/PREFIX` stands for a folder, and `s3://BUCKET/PREFIX/NAME.backup` for one backup. Of
several in a folder the newest is read: their names begin with their time.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kagimori.backups.form import Readable
from kagimori.deployment.folder import Unusable
from kagimori.rules.records.bucket import SCHEME, read_bucket
from kagimori.rules.records.receiver import BadReceiver
from kagimori.trail.bucket_calls import BucketCalls
from kagimori.trail.bucket_objects import ObjectReader, names_after
from kagimori.trail.receiving import NotTaken

ENDING: Final = ".backup"
_NAMED_BY_TIME: Final = "kagimori-"  # the beginning of names that `making` gives
Place = str | Path


def is_in_bucket(place: Place) -> bool:
    """Return whether a place is a bucket, or in one."""
    return str(place).startswith(SCHEME)


def bucket_of(place: Place) -> tuple[BucketCalls, str]:
    """Return the bucket of a place, and the name of the backup in it; no name for a folder.

    Raises:
        Unusable: there can be no such bucket, or its credentials are not in the environment.
    """
    folder, _, name = str(place).rpartition("/")
    if not name.endswith(ENDING):
        folder, name = str(place), ""
    try:
        # The name is held to the characters of a prefix, and is put together with it as it is.
        read_bucket(f"{folder}/{name}", os.environ)
        return BucketCalls(read_bucket(folder, os.environ)), name
    except BadReceiver as reason:
        raise Unusable(str(reason)) from None


@contextlib.contextmanager
def opened_backup(place: Place) -> Iterator[tuple[str, Readable]]:
    """Yield a backup to read, and its full name.

    Raises:
        Unusable: there is none, or it cannot be read; also for what the block itself comes to.
    """
    try:
        if is_in_bucket(place):
            calls, name = bucket_of(place)
            name = name or _newest(names_after(calls, _NAMED_BY_TIME), place)
            with ObjectReader(calls, name) as reader:
                yield f"{calls}{name}", reader
            return
        file = Path(place)
        if file.is_dir():
            file /= _newest([one.name for one in file.iterdir()], place)
        with file.open("rb") as source:
            yield str(file), source
    except NotTaken as reason:
        raise Unusable(f"{place} cannot be read: {reason}") from None
    except OSError as problem:
        raise Unusable(f"{problem.filename or place}: {problem.strerror}") from None


def _newest(names: list[str], place: Place) -> str:
    backups = [name for name in names if name.endswith(ENDING) and "/" not in name]
    if not backups:
        raise Unusable(f"{place} holds no backup (NAME{ENDING})")
    named = [name for name in backups if name.startswith(_NAMED_BY_TIME)]
    if not named and len(backups) > 1:
        raise Unusable(f"{place} holds several backups: name one")
    return max(named or backups)
