"""Buckets: the sealed lists of what there is, by which an absent, old or added row is noticed.

A *space* is a table, or a group of one. In a table's space each row has an entry with its tag; in a
group's space each group that has rows has one, with their number and the sum of their summands. The
entries of a space are spread over buckets; a bucket has a version that grows with each change, and
a seal over all of that. A node remembers the versions it has seen (`machinery/store/witness.py`),
so that a bucket cannot be put back together with its rows.
"""

import hmac
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from kagimori.rules.integrity.altered import Altered, Key, Problem
from kagimori.rules.integrity.marks import SUM_MODULUS, IntegrityKey, Mark, name_of

_NONCE_BYTES: Final = 8
_COUNT_BYTES: Final = 8
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(dict[str, bytes]).decode

Entries = Mapping[str, bytes]


class Place(NamedTuple):
    """The place of a bucket."""

    space: str
    bucket: int


class StoredBucket(NamedTuple):
    """A bucket as the store has it."""

    version: int
    content: bytes
    seal: bytes


class Bucket(Struct, frozen=True):
    """An opened bucket; version 0 is one that nothing was ever written to."""

    version: int = 0
    entries: Entries = {}


class Tally(NamedTuple):
    """The number of rows in a group, and the sum of their summands."""

    rows: int = 0
    total: int = 0

    def with_row(self, mark: Mark, sign: int) -> "Tally":
        """Return the tally with one row more (`sign` 1) or less (-1)."""
        return Tally(self.rows + sign, (self.total + sign * mark.summand) % SUM_MODULUS)


def tally_of(marks: Iterable[Mark]) -> Tally:
    """Return the tally of rows."""
    count, total = 0, 0
    for mark in marks:
        count += 1
        total += mark.summand
    return Tally(count, total % SUM_MODULUS)


def open_bucket(
    key: IntegrityKey,
    place: Place,
    stored: StoredBucket | None,
    seen: int,
    about: tuple[str, Key],
) -> Bucket:
    """Return a bucket that is as the service wrote it, and no older than the version seen.

    `about` is the table and the key for which it is opened.

    Raises:
        Altered: it is not.
    """
    if stored is None:
        if seen:
            raise Altered(*about, Problem.UNMARKED)
        return Bucket()
    sealed = key.seal(place.space, place.bucket, stored.version, stored.content)
    if not hmac.compare_digest(sealed, stored.seal):
        raise Altered(*about, Problem.UNMARKED)
    if stored.version < seen:
        raise Altered(*about, Problem.OLDER)
    return Bucket(stored.version, _decode(stored.content))


def close_bucket(key: IntegrityKey, place: Place, bucket: Bucket) -> StoredBucket:
    """Return a bucket as it is stored."""
    content = _encode(bucket.entries)
    sealed = key.seal(place.space, place.bucket, bucket.version, content)
    return StoredBucket(bucket.version, content, sealed)


def check_row(bucket: Bucket, name: str, mark: Mark | None, about: tuple[str, Key]) -> None:
    """Check that a row is the one in its bucket; without a mark, that there is none.

    Raises:
        Altered: it is not.
    """
    tag = bucket.entries.get(name)
    if tag is None:
        if mark is not None:
            raise Altered(*about, Problem.ADDED)
    elif mark is None:
        raise Altered(*about, Problem.MISSING)
    elif not hmac.compare_digest(tag, mark.tag):
        raise Altered(*about, Problem.CHANGED)


def check_group(key: IntegrityKey, bucket: Bucket, space: str, values: Key, found: Tally) -> None:
    """Check that these are all rows of a group, and no others.

    Raises:
        Altered: they are not.
    """
    known = tally_in(key, bucket, space, name_of(values))
    if found == known:
        return
    if found.rows == known.rows:
        raise Altered(space, values, Problem.CHANGED)
    raise Altered(space, values, Problem.ADDED if found.rows > known.rows else Problem.MISSING)


def rows_in(bucket: Bucket, name: str) -> int:
    """Return the number of rows in a group as its bucket has it."""
    entry = bucket.entries.get(name, b"")
    return int.from_bytes(entry[_NONCE_BYTES : _NONCE_BYTES + _COUNT_BYTES])


def tally_in(key: IntegrityKey, bucket: Bucket, space: str, name: str) -> Tally:
    """Return the tally of a group as its bucket has it."""
    entry = bucket.entries.get(name)
    if entry is None:
        return Tally()
    nonce = int.from_bytes(entry[:_NONCE_BYTES])
    rest = entry[_NONCE_BYTES:]
    hidden = int.from_bytes(rest[_COUNT_BYTES:])
    total = (hidden - key.mask(space, name, nonce)) % SUM_MODULUS
    return Tally(int.from_bytes(rest[:_COUNT_BYTES]), total)


def tally_entry(key: IntegrityKey, space: str, name: str, nonce: int, tally: Tally) -> bytes:
    """Return the entry of a group; no nonce is used for two sums of the same group."""
    hidden = (tally.total + key.mask(space, name, nonce)) % SUM_MODULUS
    return nonce.to_bytes(_NONCE_BYTES) + tally.rows.to_bytes(_COUNT_BYTES) + hidden.to_bytes(32)
