"""An S3-compatible bucket for digests, log files and backups, and Object Lock on its objects.

Source: Amazon S3 API reference, PutObject; S3 User Guide, "Locking objects with Object Lock".
"""

import base64
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from msgspec import Struct

from kagimori.rules.partitions import partition_of
from kagimori.rules.records.receiver import BadReceiver, Receiver, read_receiver
from kagimori.rules.records.times import iso_time
from kagimori.rules.sigv4.sign import SigningCredentials

SCHEME: Final = "s3://"
DAY_SECONDS: Final = 86_400
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PREFIX: Final = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*/)*", re.ASCII)


class Bucket(Struct, frozen=True):
    """A bucket's address; `base` is the path before object names, `prefix` part of them."""

    name: str
    prefix: str
    receiver: Receiver
    base: str
    region: str
    credentials: SigningCredentials


def read_bucket(place: str, environment: Mapping[str, str]) -> Bucket:
    """Return the bucket of `s3://BUCKET/PREFIX`; the rest is in AWS's environment variables.

    Raises:
        BadReceiver: no such bucket can be, or a variable is missing.
    """
    bucket, _, prefix = place.removeprefix(SCHEME).partition("/")
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    if not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix):
        raise BadReceiver(f"{place} is not s3://BUCKET/PREFIX in letters, digits, dots and hyphens")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    suffix = partition_of(region).dns_suffix
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or f"https://s3.{region}.{suffix}"
    access_key_id = environment.get("AWS_ACCESS_KEY_ID")
    secret = environment.get("AWS_SECRET_ACCESS_KEY")
    if not access_key_id or not secret:
        raise BadReceiver(f"{place} needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    receiver = read_receiver(endpoint)
    credentials = SigningCredentials(access_key_id, secret, environment.get("AWS_SESSION_TOKEN"))
    base = f"{receiver.target.rstrip('/')}/{bucket}/{prefix}"
    return Bucket(bucket, prefix, receiver, base, region, credentials)


def put_headers(
    body: bytes, now: float, lock_days: float, content_type: str = "application/json"
) -> dict[str, str]:
    """Return the headers of an object: its checksum, and until when nobody may change it."""
    headers = {
        "content-type": content_type,
        "x-amz-checksum-sha256": base64.b64encode(sha256(body).digest()).decode(),
    }
    if lock_days:
        headers["x-amz-object-lock-mode"] = "COMPLIANCE"
        headers["x-amz-object-lock-retain-until-date"] = iso_time(now + lock_days * DAY_SECONDS)
    return headers
