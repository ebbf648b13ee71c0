"""Targets of delivered log files and digests: a bucket, or a folder that stands for one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from kagimori.machinery.files import write_whole
from kagimori.rules.records.bucket import SCHEME, Bucket, read_bucket
from kagimori.trail.bucket import put_object


class DeliveryTarget(Protocol):
    """`bucket` is the name that digests say, `prefix` what comes before the names of objects."""

    bucket: str
    prefix: str

    def put(self, name: str, content: bytes, metadata: Mapping[str, str]) -> None:
        """Deliver an object, whole.

        Raises:
            OSError, NotTaken: it is not there.
        """
        ...


class DeliveryFolder:
    """A folder as target; an object's metadata is in `NAME.metadata.json` beside it."""

    prefix = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bucket = folder.name

    def put(self, name: str, content: bytes, metadata: Mapping[str, str]) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if metadata:
            beside = path.with_name(f"{path.name}.metadata.json")
            write_whole(beside, msgspec.json.encode(dict(metadata)), 0o644)
        write_whole(path, content, 0o644)


class DeliveryBucket:
    """An S3-compatible bucket."""

    def __init__(self, bucket: Bucket, now: Callable[[], float]) -> None:
        self._bucket, self._now = bucket, now
        self.bucket, self.prefix = bucket.name, bucket.prefix

    def put(self, name: str, content: bytes, metadata: Mapping[str, str]) -> None:
        within = name.removeprefix(self.prefix)
        put_object(self._bucket, within, content, now=self._now(), metadata=metadata)


def delivery_to(
    place: str, *, environment: Mapping[str, str], now: Callable[[], float]
) -> DeliveryTarget:
    """Return the target of a folder's name, or of `s3://BUCKET/PREFIX`.

    Raises:
        BadReceiver: no such bucket can be.
    """
    if place.startswith(SCHEME):
        return DeliveryBucket(read_bucket(place, environment), now)
    return DeliveryFolder(Path(place))
