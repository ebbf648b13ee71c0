"""Copies of digests, kept where this machine cannot take them back: a folder, a receiver, a bucket.

One that could not be kept is tried again, until a newer one is: that names all before it.
"""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from kagimori.machinery.files import write_whole
from kagimori.rules.records.bucket import SCHEME, Bucket, read_bucket
from kagimori.rules.records.receiver import read_receiver
from kagimori.trail.bucket import put_object
from kagimori.trail.receiving import NotTaken, Webhook, secret_in

KEPT_IN_FOLDER: Final = 48


class Checkpoints(Protocol):
    """A place for copies."""

    def keep(self, name: str, content: bytes) -> None:
        """Keep a copy under a name.

        Raises:
            NotTaken: it is not kept.
        """
        ...


class CheckpointFolder:
    """A folder, best on another machine: the newest copies of each audit key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, content: bytes) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._folder / name, content)
        except OSError as problem:
            raise NotTaken(f"{self._folder}: {problem.strerror}") from None
        ours = sorted(self._folder.glob(f"{name.rpartition('-')[0]}-*.json"))
        for old in ours[:-KEPT_IN_FOLDER]:
            with contextlib.suppress(OSError):
                old.unlink()


class CheckpointReceiver:
    """A receiver over HTTPS, which is sent the same headers as with events."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    def keep(self, name: str, content: bytes) -> None:
        self._webhook.post(content, name)


class CheckpointBucket:
    """A bucket; with Object Lock, not even its owner can take a copy away before the time."""

    def __init__(self, bucket: Bucket, lock_days: float, now: Callable[[], float]) -> None:
        self._bucket, self._lock_days, self._now = bucket, lock_days, now

    def keep(self, name: str, content: bytes) -> None:
        put_object(self._bucket, name, content, now=self._now(), lock_days=self._lock_days)


def place_of_node(place: str, node: str) -> str:
    """Return the place within `place` for the copies of one of several nodes.

    The URL of a receiver gets the node in its query.
    """
    if "://" in place and not place.startswith(SCHEME):
        return f"{place}{'&' if '?' in place else '?'}node={node}"
    return f"{place.rstrip('/')}/{node}"


def checkpoints_at(
    place: str,
    *,
    secret: Path | None,
    lock_days: float,
    environment: Mapping[str, str],
    now: Callable[[], float],
) -> Checkpoints:
    """Return the place for copies of a folder's name, a URL, or `s3://BUCKET/PREFIX`.

    Raises:
        BadReceiver: nothing can be sent there.
    """
    if place.startswith(SCHEME):
        return CheckpointBucket(read_bucket(place, environment), lock_days, now)
    if "://" in place:
        webhook = Webhook(read_receiver(place), secret_in(secret or Path()), now)
        return CheckpointReceiver(webhook)
    return CheckpointFolder(Path(place))
