"""Digests: signed statements of what the audit trail holds, each naming the one before it.

The form is that of CloudTrail's digest files, with members of our own beside: where each stream
stood, and how often each key was used. A file is two lines: the digest, and its signature.

Source: CloudTrail User Guide, "CloudTrail digest file structure" and "Custom implementations of
CloudTrail log file integrity validation".
"""

from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

SIGNATURE_ALGORITHM: Final = "SHA256withRSA"
HASH_ALGORITHM: Final = "SHA-256"
BUCKET: Final = "audit"
FOLDER: Final = "digests"
NUMBER_DIGITS: Final = 20


class BadDigest(ValueError):
    """Not a digest, or not signed by this key."""


class LogFile(Struct, frozen=True, rename="camel"):
    """A file as it was: for one that still grows, its first `size_bytes`."""

    s3_bucket: str
    s3_object: str
    hash_value: str
    newest_event_time: str | None
    oldest_event_time: str | None
    hash_algorithm: str
    size_bytes: int


class StreamEnd(Struct, frozen=True, rename="camel"):
    """The end of a stream at the time of a digest, and its beginning after retired files."""

    stream: str
    newest_sequence: int
    newest_hash: str
    records: int
    first_sequence: int
    first_previous: str


class Digest(Struct, frozen=True, rename="camel"):
    """One digest. `counts`: resource, event name, then how many records and refusals.

    `counts` is None when there were too many to count apart. Periods are half open.
    """

    digest_start_time: str
    digest_end_time: str
    digest_s3_bucket: str
    digest_s3_object: str
    digest_public_key_fingerprint: str
    newest_event_time: str | None
    oldest_event_time: str | None
    previous_digest_s3_bucket: str | None
    previous_digest_s3_object: str | None
    previous_digest_hash_value: str | None
    previous_digest_hash_algorithm: str | None
    previous_digest_signature: str | None
    log_files: list[LogFile]
    digest_signature_algorithm: str
    number: int
    streams: list[StreamEnd]
    counts: dict[str, dict[str, tuple[int, int]]] | None


class SignedDigest(Struct, frozen=True):
    """A digest, its bytes as signed, and the signature (lower-case hex)."""

    digest: Digest
    content: bytes
    signature: str

    @property
    def content_hash(self) -> str:
        return sha256(self.content).hexdigest()


class _Signature(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    signature: str
    signature_algorithm: str


_decode_digest: Final = msgspec.json.Decoder(Digest).decode
_decode_signature: Final = msgspec.json.Decoder(_Signature).decode


def object_name(number: int) -> str:
    return f"{FOLDER}/{number:0{NUMBER_DIGITS}}.json"


class ToSign(Struct, frozen=True):
    """The signed fields of a digest; `previous_signature` is hex, None for the first digest."""

    end_time: str
    bucket: str
    object_name: str
    content: bytes
    previous_signature: str | None

    def text(self) -> bytes:
        """Return the string to sign: four lines, the last of them `null` for the first digest."""
        place = f"{self.bucket}/{self.object_name}"
        content_hash = sha256(self.content).hexdigest()
        lines = (self.end_time, place, content_hash, self.previous_signature or "null")
        return "\n".join(lines).encode()


def encode_file(content: bytes, signature: str) -> bytes:
    """Return the bytes of a digest's file."""
    return content + b"\n" + msgspec.json.encode(_Signature(signature, SIGNATURE_ALGORITHM)) + b"\n"


def decode_file(file: bytes) -> SignedDigest:
    """Return the content of a digest's file, its signature unverified.

    Raises:
        BadDigest: not byte for byte what such a file is.
    """
    content, _, rest = file.partition(b"\n")
    try:
        digest = _decode_digest(content)
        signed = _decode_signature(rest)
    except (ValueError, RecursionError):
        raise BadDigest("not a digest with its signature") from None
    if encode_file(content, signed.signature) != file:
        raise BadDigest("not byte for byte a digest with its signature")
    if signed.signature != signed.signature.lower():
        raise BadDigest("the signature is not lower-case hex")
    return SignedDigest(digest, content, signed.signature)
