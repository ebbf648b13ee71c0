"""Puts objects into an S3-compatible bucket; reads nothing and removes nothing there.

Source: Amazon S3 API reference, PutObject.
"""

from collections.abc import Mapping

from kagimori.rules.records.bucket import Bucket, put_headers
from kagimori.rules.sigv4.sign import signed_headers
from kagimori.trail.receiving import exchange


def put_object(
    bucket: Bucket,
    name: str,
    content: bytes,
    *,
    now: float,
    lock_days: float = 0.0,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Put an object under a name in the bucket, after its prefix.

    Raises:
        NotTaken: not reached in time, or refused.
    """
    target = bucket.base + name
    headers = put_headers(content, now, lock_days)
    headers |= {f"x-amz-meta-{key}": value for key, value in (metadata or {}).items()}
    signed = signed_headers(
        "PUT",
        target,
        {**headers, "host": bucket.receiver.authority},
        content,
        credentials=bucket.credentials,
        region=bucket.region,
        service="s3",
        now=now,
    )
    exchange(bucket.receiver, "PUT", target, content, signed)
