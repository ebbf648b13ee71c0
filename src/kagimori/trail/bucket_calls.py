"""Calls of an S3-compatible bucket: their answers are read, and bounded; some are tried again.

A refusal (403, 404) is final. What a bucket may get over (no answer, 429, 5xx) is tried again a
few times. Nothing here waits for a bucket without a bound.
"""

import html
import re
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPResponse
from typing import Final, TypeVar
from urllib.parse import quote

from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.records.bucket import Bucket
from kagimori.rules.sigv4.sign import signed_headers
from kagimori.trail.receiving import NotTaken, connection_to

ATTEMPTS_MAX: Final = 4
PAUSE_SECONDS: Final = 0.5  # before the second attempt; twice as long before each further one
SECONDS_MAX: Final = 60.0  # without a byte; a bucket may take long to put parts together
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
TOO_MANY_REQUESTS: Final = 429
_SERVER_FAULTS: Final = range(500, 600)
_OK: Final = range(200, 300)
T = TypeVar("T")

_CODE: Final = re.compile(r"<Code>([A-Za-z0-9.]{1,64})</Code>")


class BucketRefused(NotTaken):
    """The bucket answered with an error; `status` is HTTP's, `code` S3's or empty."""

    def __init__(self, host: str, status: int, code: str) -> None:
        super().__init__(f"{host} answered {status}" + (f" ({code})" if code else ""))
        self.status, self.code = status, code


_TEXTS: Final = {
    "Key": re.compile(r"<Key>([^<]*)</Key>"),
    "IsTruncated": re.compile(r"<IsTruncated>([^<]*)</IsTruncated>"),
    "UploadId": re.compile(r"<UploadId>([^<]*)</UploadId>"),
}


class BucketAnswer(Struct, frozen=True):
    """An answer of success; names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes

    def texts(self, element: str) -> list[str]:
        """Return the texts of all XML elements of a name (of `_TEXTS`); they have no elements."""
        found = _TEXTS[element].findall(self.body.decode(errors="replace"))
        return [html.unescape(one) for one in found]


class BucketCalls:
    """Calls a bucket; `name` is an object's, after the prefix. `pause` waits between attempts."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
        seconds: float = SECONDS_MAX,
    ) -> None:
        self.bucket = bucket
        self._now, self._pause, self._seconds = now, pause, seconds

    def __str__(self) -> str:
        return f"s3://{self.bucket.name}/{self.bucket.prefix}"

    def call(
        self,
        method: str,
        name: str | None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> BucketAnswer:
        """Return an answer of success; without a name, the bucket itself is called.

        Raises:
            BucketRefused: it was refused.
            NotTaken: not reached in time.
        """

        def attempt() -> BucketAnswer:
            with self.open(method, name, query, body, headers) as answer:
                content = self._whole(answer)
                # S3 may answer 200 before it knows, and say in the body that it failed.
                if content.lstrip(b" \r\n").startswith(b"<?xml") and b"<Error>" in content[:1024]:
                    raise self._refused(500, content)
                return BucketAnswer(_lower(answer), content)

        return self.tried(attempt)

    def tried(self, attempt: Callable[[], T]) -> T:
        """Return the result of an attempt, which is repeated if the bucket may get over it."""
        for number in range(1, ATTEMPTS_MAX):
            try:
                return attempt()
            except BucketRefused as refused:
                if refused.status not in (TOO_MANY_REQUESTS, *_SERVER_FAULTS):
                    raise
            except NotTaken:
                pass
            self._pause(PAUSE_SECONDS * 2 ** (number - 1))
        return attempt()

    def open(
        self,
        method: str,
        name: str | None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        """Return an answer of success whose body is still to be read; tried once.

        Raises:
            BucketRefused, NotTaken: as `call`.
        """
        receiver = self.bucket.receiver
        target = self.bucket.base
        target = target.removesuffix(self.bucket.prefix) if name is None else target + name
        if query:
            pairs = (f"{quote(key, safe='')}={quote(query[key], safe='')}" for key in query)
            target = f"{target}?{'&'.join(pairs)}"
        signed = signed_headers(
            method,
            target,
            {**(headers or {}), "host": receiver.authority},
            body,
            credentials=self.bucket.credentials,
            region=self.bucket.region,
            service="s3",
            now=self._now(),
        )
        connection = connection_to(receiver, self._seconds)
        try:
            connection.request(method, target, body, {**signed, "connection": "close"})
            answer = connection.getresponse()
            self._check(answer)
        except (OSError, HTTPException) as problem:
            connection.close()
            raise self.lost(problem) from None
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            connection.sock.close()  # once the answer is closed: it still reads from there
        return answer

    def lost(self, problem: Exception) -> NotTaken:
        """Return the exception for a bucket that does not answer, or not to the end."""
        return NotTaken(f"{self.bucket.receiver.host}: {str(problem) or type(problem).__name__}")

    def _check(self, answer: HTTPResponse) -> None:
        if answer.status not in _OK:
            raise self._refused(answer.status, self._whole(answer))

    def _refused(self, status: int, body: bytes) -> BucketRefused:
        code = _CODE.search(body.decode(errors="replace"))
        host = self.bucket.receiver.host
        return BucketRefused(host, status, "" if code is None else code.group(1))

    def _whole(self, answer: HTTPResponse) -> bytes:
        """Return the body of an answer, which must be whole, in time and of bounded size."""
        deadline = time.monotonic() + self._seconds
        parts, length = list[bytes](), 0
        try:
            while part := answer.read1(ANSWER_BYTES_MAX):
                parts.append(part)
                length += len(part)
                if length > ANSWER_BYTES_MAX or time.monotonic() > deadline:
                    raise NotTaken(f"{self.bucket.receiver.host}: its answer does not end")
        except (OSError, HTTPException) as problem:
            raise self.lost(problem) from None
        if answer.length:
            raise NotTaken(f"{self.bucket.receiver.host}: its answer was cut short")
        return b"".join(parts)


def _lower(answer: HTTPResponse) -> dict[str, str]:
    return {fold(name): value for name, value in answer.getheaders()}
