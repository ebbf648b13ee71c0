"""Files as CloudTrail delivers them: log files of one account and region, and their digests.

Source: CloudTrail User Guide, "CloudTrail digest file structure" and "finding log files".
"""

from collections.abc import Sequence
from hashlib import sha256
from time import gmtime, strftime
from typing import Any, Final

import msgspec
from msgspec import Struct

from kagimori.rules.chain.digest import HASH_ALGORITHM, SIGNATURE_ALGORITHM
from kagimori.rules.records.times import iso_time

TRAIL_NAME: Final = "kagimori"


class Area(Struct, frozen=True):
    """The account and region of a delivery."""

    account_id: str
    region: str


class DeliveredLog(Struct, frozen=True, rename="camel"):
    """A log file as its digest names it; the hash is of its content uncompressed."""

    s3_bucket: str
    s3_object: str
    hash_value: str
    hash_algorithm: str
    newest_event_time: str
    oldest_event_time: str


class PreviousDigest(Struct, frozen=True):
    """The previous digest, as the next one describes it."""

    object_name: str
    content_hash: str
    signature: str
    end_time: str


def log_name(area: Area, now: float, unique: str, prefix: str = "") -> str:
    """Return the object name of a log file; `unique` is 16 letters and digits."""
    account_id, region, at = area.account_id, area.region, gmtime(now)
    folder = f"{prefix}AWSLogs/{account_id}/CloudTrail/{region}/{strftime('%Y/%m/%d', at)}"
    minute = strftime("%Y%m%dT%H%MZ", at)
    return f"{folder}/{account_id}_CloudTrail_{region}_{minute}_{unique}.json.gz"


def digest_name(area: Area, now: float, prefix: str = "") -> str:
    """Return the object name of a digest."""
    account_id, region, at = area.account_id, area.region, gmtime(now)
    folder = f"{prefix}AWSLogs/{account_id}/CloudTrail-Digest/{region}/{strftime('%Y/%m/%d', at)}"
    name = f"{account_id}_CloudTrail-Digest_{region}_{TRAIL_NAME}_{region}"
    return f"{folder}/{name}_{strftime('%Y%m%dT%H%M%SZ', at)}.json.gz"


def log_content(records: Sequence[bytes]) -> bytes:
    """Return a log file's content, uncompressed; records are JSON."""
    return b'{"Records":[' + b",".join(records) + b"]}"


def described(
    bucket: str, object_name: str, content: bytes, oldest: str, newest: str
) -> DeliveredLog:
    """Return the description of a log file in a digest."""
    content_hash = sha256(content).hexdigest()
    return DeliveredLog(bucket, object_name, content_hash, HASH_ALGORITHM, newest, oldest)


def digest_content(
    area: Area,
    *,
    bucket: str,
    object_name: str,
    start_time: str,
    now: float,
    fingerprint: str,
    logs: Sequence[DeliveredLog],
    previous: PreviousDigest | None,
) -> bytes:
    """Return a digest's content, uncompressed: exactly what is signed and stored."""
    digest: dict[str, Any] = {
        "awsAccountId": area.account_id,
        "digestStartTime": start_time,
        "digestEndTime": iso_time(now),
        "digestS3Bucket": bucket,
        "digestS3Object": object_name,
        "digestPublicKeyFingerprint": fingerprint,
        "digestSignatureAlgorithm": SIGNATURE_ALGORITHM,
        "newestEventTime": max((log.newest_event_time for log in logs), default=None),
        "oldestEventTime": min((log.oldest_event_time for log in logs), default=None),
        "previousDigestS3Bucket": None if previous is None else bucket,
        "previousDigestS3Object": None if previous is None else previous.object_name,
        "previousDigestHashValue": None if previous is None else previous.content_hash,
        "previousDigestHashAlgorithm": None if previous is None else HASH_ALGORITHM,
        "previousDigestSignature": None if previous is None else previous.signature,
        "logFiles": list(logs),
    }
    return msgspec.json.encode(digest)
