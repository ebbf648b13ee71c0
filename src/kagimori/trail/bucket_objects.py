"""Objects of an S3-compatible bucket: listed, read as a stream, and written in parts.

An object is there whole or not at all: parts become one with the last call of an upload.

Source: Amazon S3 API reference, CreateMultipartUpload, UploadPart, CompleteMultipartUpload,
AbortMultipartUpload, GetObject, HeadObject, ListObjectsV2.
"""

import base64
import contextlib
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from http.client import HTTPException, HTTPResponse
from typing import Final, Self
from xml.sax.saxutils import escape

from kagimori.rules.numbers import whole
from kagimori.rules.records.bucket import put_headers
from kagimori.trail.bucket_calls import BucketAnswer, BucketCalls, BucketRefused
from kagimori.trail.receiving import NotTaken

PART_BYTES: Final = 16 * 1024 * 1024
PARTS_MAX: Final = 10_000
READ_SECONDS_MAX: Final = 60.0  # for each piece
PIECE_BYTES: Final = 1024 * 1024
_BINARY: Final = "application/octet-stream"
_CHECKSUM: Final = "x-amz-checksum-sha256"
_LENGTH_DIGITS_MAX: Final = 18
_PARTIAL: Final = 206


def put(calls: BucketCalls, name: str, content: bytes) -> None:
    """Put an object, whole.

    Raises:
        NotTaken: not reached in time, or refused.
    """
    headers = put_headers(content, 0.0, 0.0, _BINARY)
    calls.call("PUT", name, body=content, headers=headers)


def names_after(calls: BucketCalls, prefix: str, after: str = "") -> list[str]:
    """Return the names of all objects that begin with `prefix`, in order; after one of them.

    Raises:
        NotTaken: not reached in time, or refused.
    """
    within = calls.bucket.prefix
    found: list[str] = []
    query = {"list-type": "2", "prefix": within + prefix}
    if after:
        query["start-after"] = within + after
    while True:
        answer = calls.call("GET", None, query)
        keys = answer.texts("Key")
        found += [key.removeprefix(within) for key in keys if key.startswith(within + prefix)]
        if answer.texts("IsTruncated") != ["true"] or not keys:
            return sorted(found)
        if keys[-1] <= query.get("start-after", ""):
            raise NotTaken(f"{calls}: its list of objects does not end")
        query["start-after"] = keys[-1]


class ObjectReader:
    """Reads an object from its beginning to its end; goes on where a lost connection had come to.

    That it is the same object all the time is what its ETag shows.
    """

    def __init__(self, calls: BucketCalls, name: str) -> None:
        """Begin to read.

        Raises:
            NotTaken: not reached in time, refused, or not there.
        """
        self._calls, self._name = calls, name
        self._answer = calls.tried(lambda: calls.open("GET", name))
        self._etag = self._answer.headers.get("ETag", "")
        self.size = _length(self._answer.headers.get("Content-Length"))
        if self.size < 0:
            self.close()
            raise NotTaken(f"{calls}{name}: the bucket does not say how long it is")
        self._at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end of the object.

        Raises:
            NotTaken: the bucket does not give the rest.
        """
        parts: list[bytes] = []
        while size and self._at < self.size:
            part = self._calls.tried(partial(self._some, min(size, PIECE_BYTES)))
            parts.append(part)
            self._at += len(part)
            size -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        self._answer.close()

    def _some(self, size: int) -> bytes:
        """Return the next bytes, at least one; on trouble, the next attempt opens it anew."""
        if self._answer.isclosed():
            self._answer = self._opened_at(self._at)
        began, parts, wanted = time.monotonic(), list[bytes](), min(size, self.size - self._at)
        try:
            while wanted and (part := self._answer.read1(wanted)):
                parts.append(part)
                wanted -= len(part)
                if time.monotonic() - began > READ_SECONDS_MAX:
                    break
        except (OSError, HTTPException) as problem:
            self.close()
            if not parts:
                raise self._calls.lost(problem) from None
        if wanted:
            self.close()
            if not parts:
                raise NotTaken(f"{self._calls}{self._name}: the bucket sent less than it said")
        return b"".join(parts)

    def _opened_at(self, start: int) -> HTTPResponse:
        headers = {"range": f"bytes={start}-"} | ({"if-match": self._etag} if self._etag else {})
        answer = self._calls.open("GET", self._name, headers=headers)
        end = f"bytes {start}-{self.size - 1}/{self.size}"
        if answer.status != _PARTIAL or answer.headers.get("Content-Range") != end:
            answer.close()
            raise NotTaken(f"{self._calls}{self._name}: the bucket sent another part than asked")
        return answer


class Upload:
    """Writes an object in parts. It is not there before `finish`; `abort` leaves nothing."""

    def __init__(self, calls: BucketCalls, name: str, expected_bytes: int) -> None:
        """`expected_bytes` decides how long a part is: there may be 10,000 of them."""
        self._calls, self._name = calls, name
        self._part_bytes = max(PART_BYTES, expected_bytes // (PARTS_MAX // 2))
        self._buffer = bytearray()
        self._upload_id = ""
        self._parts: list[tuple[str, str]] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        """Take bytes; send the parts that are full.

        Raises:
            NotTaken: not reached in time, or refused.
        """
        self._buffer += data
        self.size += len(data)
        while len(self._buffer) > self._part_bytes:
            self._send(bytes(memoryview(self._buffer)[: self._part_bytes]))
            del self._buffer[: self._part_bytes]
        return len(data)

    def finish(self) -> None:
        """Send the rest, and make it one object.

        Raises:
            NotTaken: not reached in time, or refused.
        """
        if not self._upload_id:
            put(self._calls, self._name, bytes(self._buffer))
        else:
            self._send(bytes(self._buffer))
            self._complete()
        self._buffer.clear()
        found = self._calls.call("HEAD", self._name).headers.get("content-length")
        if _length(found) != self.size:
            raise NotTaken(f"{self._calls}{self._name}: the bucket has not kept it whole")

    def abort(self) -> None:
        """Have the bucket forget what was sent; if it is away, what it has is no object."""
        if self._upload_id:
            with contextlib.suppress(NotTaken):
                self._calls.call("DELETE", self._name, {"uploadId": self._upload_id})

    def _send(self, part: bytes) -> None:
        if not self._upload_id:
            self._upload_id = self._begun()
        checksum = base64.b64encode(sha256(part).digest()).decode()
        query = {"partNumber": str(len(self._parts) + 1), "uploadId": self._upload_id}
        answer = self._calls.call("PUT", self._name, query, part, {_CHECKSUM: checksum})
        etag = answer.headers.get("etag")
        if etag is None:
            raise NotTaken(f"{self._calls}{self._name}: the bucket gives its parts no ETag")
        self._parts.append((etag, checksum))

    def _begun(self) -> str:
        headers = {"content-type": _BINARY, "x-amz-checksum-algorithm": "SHA256"}
        answer: BucketAnswer = self._calls.call("POST", self._name, {"uploads": ""}, b"", headers)
        ids = answer.texts("UploadId")
        if len(ids) != 1 or not ids[0]:
            raise NotTaken(f"{self._calls}{self._name}: the bucket began no upload in parts")
        return ids[0]

    def _complete(self) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag>"
            f"<ChecksumSHA256>{checksum}</ChecksumSHA256></Part>"
            for number, (etag, checksum) in enumerate(self._parts, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        query = {"uploadId": self._upload_id}
        try:
            self._calls.call("POST", self._name, query, body, {"content-type": "application/xml"})
        except BucketRefused as refused:
            if refused.code != "NoSuchUpload":  # then an answer was lost: the object is there
                raise


def write_object(
    calls: BucketCalls, name: str, expected_bytes: int, write: Callable[[Upload], None]
) -> int:
    """Have an object written, whole or not at all; return its length.

    Raises:
        NotTaken: not reached in time, or refused. Whatever `write` raises.
    """
    upload = Upload(calls, name, expected_bytes)
    try:
        write(upload)
        upload.finish()
    except BaseException:
        upload.abort()
        raise
    return upload.size


def _length(text: str | None) -> int:
    found = whole(text, digits_max=_LENGTH_DIGITS_MAX) if text is not None else None
    return -1 if found is None else found
