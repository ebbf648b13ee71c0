"""Shelves: a folder or a bucket in which things are kept by name, and read back."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from kagimori.machinery.files import write_whole
from kagimori.rules.records.bucket import SCHEME, read_bucket
from kagimori.trail.bucket_calls import BucketCalls
from kagimori.trail.bucket_objects import names_after, put
from kagimori.trail.receiving import NotTaken


class Shelf(Protocol):
    """Names have parts that are parted by slashes.

    Each method raises `NotTaken` if the place is not reached, or refuses.
    """

    def put(self, name: str, content: bytes) -> None:
        """Keep something, whole or not at all."""
        ...

    def get(self, name: str) -> bytes:
        """Return the content that was kept under a name."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return all names that begin with `folder`, which ends with a slash."""
        ...


class FolderShelf:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, content: bytes) -> None:
        path = self._folder / name
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as problem:
            raise NotTaken(f"{path}: {problem.strerror}") from None

    def get(self, name: str) -> bytes:
        path = self._folder / name
        try:
            return path.read_bytes()
        except OSError as problem:
            raise NotTaken(f"{path}: {problem.strerror}") from None

    def names(self, folder: str) -> list[str]:
        try:
            files = [one for one in (self._folder / folder).rglob("*") if one.is_file()]
        except OSError as problem:
            raise NotTaken(f"{self._folder}: {problem.strerror}") from None
        return sorted(one.relative_to(self._folder).as_posix() for one in files)


class BucketShelf:
    """A bucket."""

    def __init__(self, calls: BucketCalls) -> None:
        self._calls = calls

    def put(self, name: str, content: bytes) -> None:
        put(self._calls, name, content)

    def get(self, name: str) -> bytes:
        return self._calls.call("GET", name).body

    def names(self, folder: str) -> list[str]:
        return names_after(self._calls, folder)


def shelf_at(
    place: str,
    environment: Mapping[str, str],
    *,
    calls: Callable[..., BucketCalls] = BucketCalls,
) -> Shelf:
    """Return the shelf of a folder's name, or of `s3://BUCKET/PREFIX`.

    Raises:
        BadReceiver: there can be no such bucket.
    """
    if place.startswith(SCHEME):
        return BucketShelf(calls(read_bucket(place, environment)))
    return FolderShelf(Path(place))
