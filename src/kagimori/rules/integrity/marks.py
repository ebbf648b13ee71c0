"""Marks of rows and seals of buckets, made with the integrity key that the HSM derives.

All are keyed BLAKE2b, kept apart by its personalization. A row's mark has two halves that say
nothing about each other: the tag is compared, the summand is added up over the rows of a group.

Source: RFC 7693 (BLAKE2), section 2.9; Clarke, Devadas, van Dijk, Gassend and Suh, "Incremental
Multiset Hash Functions and Their Application to Memory Integrity Checking", MSet-Add-Hash.
"""

from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from kagimori.rules.integrity.altered import Key

TAG_BYTES: Final = 32
SEAL_BYTES: Final = 32
SUM_MODULUS: Final = 1 << 256
# So many that a bucket has few entries with a million rows, and an old one shows at one row.
BUCKETS: Final = 65_536
_BUCKET_BYTES: Final = 2

_encode: Final = msgspec.msgpack.Encoder().encode
_name: Final = msgspec.json.Encoder().encode


class Mark(NamedTuple):
    """The mark of one row, as it is in one version."""

    tag: bytes
    summand: int


def name_of(values: Key) -> str:
    """Return the values of a key or a group as one text, different for different values."""
    return _name(values).decode()


class IntegrityKey:
    """The key, ready for use. It has no repr that shows it."""

    def __init__(self, key: bytes) -> None:
        self._row = blake2b(key=key, digest_size=64, person=b"row")
        self._place = blake2b(key=key, digest_size=_BUCKET_BYTES, person=b"place")
        self._seal = blake2b(key=key, digest_size=SEAL_BYTES, person=b"bucket")
        self._mask = blake2b(key=key, digest_size=32, person=b"mask")

    def mark(self, table: str, key: Key, version: int, body: bytes) -> Mark:
        """Return the mark of a row: bound to its table, its key and its version."""
        hashed = self._row.copy()
        hashed.update(_encode((table, key, version)))
        hashed.update(body)
        digest = hashed.digest()
        return Mark(digest[:TAG_BYTES], int.from_bytes(digest[TAG_BYTES:]))

    def bucket_of(self, space: str, name: str) -> int:
        """Return the bucket that a name is in; nobody without the key can choose names for one."""
        hashed = self._place.copy()
        hashed.update(_encode((space, name)))
        return int.from_bytes(hashed.digest())

    def seal(self, space: str, bucket: int, version: int, content: bytes) -> bytes:
        """Return the seal of a bucket's content."""
        hashed = self._seal.copy()
        hashed.update(_encode((space, bucket, version)))
        hashed.update(content)
        return hashed.digest()

    def mask(self, space: str, name: str, nonce: int) -> int:
        """Return the number that hides a sum: who reads the store learns no sum of rows."""
        hashed = self._mask.copy()
        hashed.update(_encode((space, name, nonce)))
        return int.from_bytes(hashed.digest())
