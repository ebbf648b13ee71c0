"""The buckets that one transaction changes: opened when first needed, closed together at its end.

Several commits share a transaction, each in a savepoint; what one of them changed here is kept or
dropped with it.
"""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from kagimori.rules.integrity.altered import Altered, Key, Problem
from kagimori.rules.integrity.buckets import (
    Bucket,
    Place,
    StoredBucket,
    check_row,
    close_bucket,
    open_bucket,
    rows_in,
    tally_entry,
    tally_in,
)
from kagimori.rules.integrity.marks import IntegrityKey, Mark, name_of

Load = Callable[[Place], StoredBucket | None]
Seen = Callable[[Place], int]
# The values of each group that a row is in, by the group's name.
Groups = Mapping[str, Key]


class Row(Struct, frozen=True):
    """A row as it is marked: its mark, and the groups it is in."""

    mark: Mark
    groups: Groups


class Ledger:
    """The buckets of one transaction."""

    def __init__(self, key: IntegrityKey, load: Load, seen: Seen) -> None:
        self._key, self._load, self._seen = key, load, seen
        self._opened: dict[Place, Bucket] = {}
        self._kept: dict[Place, Bucket] = {}
        self._trying: dict[Place, Bucket] = {}

    def keep(self) -> None:
        """Keep the changes since the last `keep` or `drop`."""
        self._kept.update(self._trying)
        self._trying.clear()

    def drop(self) -> None:
        """Drop them."""
        self._trying.clear()

    def check(self, table: str, key: Key, mark: Mark | None) -> None:
        """Check that a row is as it was written; without a mark, that there is none.

        Raises:
            Altered: it is not.
        """
        name, about = name_of(key), (table, key)
        check_row(self._bucket(self._place(table, name), about), name, mark, about)

    def replace(self, table: str, key: Key, before: Row | None, after: Row | None) -> None:
        """Put a row in the place of another; without one of them, add or remove it.

        Raises:
            Altered: the row before is not as it was written, or there is one where none should be.
        """
        name, about = name_of(key), (table, key)
        place = self._place(table, name)
        check_row(self._bucket(place, about), name, before.mark if before else None, about)
        self._set(place, name, after.mark.tag if after else None, about)
        old = before.groups if before else {}
        new = after.groups if after else {}
        for group in {**old, **new}:
            space = f"{table}/{group}"
            was, will_be = old.get(group), new.get(group)
            if was == will_be and before and after and was is not None:
                self._tally(space, was, left=before.mark, joined=after.mark)
                continue
            if before and was is not None:
                self._tally(space, was, left=before.mark)
            if after and will_be is not None:
                self._tally(space, will_be, joined=after.mark)

    def count(self, table: str, group: str, values: Key) -> int:
        """Return how many rows a group has, with what was changed here.

        Raises:
            Altered: its bucket is not as it was written.
        """
        space, name = f"{table}/{group}", name_of(values)
        bucket = self._bucket(self._place(space, name), (space, values))
        return rows_in(bucket, name)

    def touch(self, space: str, name: str) -> None:
        """Have the version of a bucket grow, whatever else is changed.

        Raises:
            Altered: it is not as it was written.
        """
        entry = name_of((name,))
        self._set(self._place(space, entry), entry, b"", (space, (name,)))

    def closed(self) -> Iterator[tuple[Place, StoredBucket]]:
        """Yield the buckets that were changed, as they are to be stored."""
        for place, bucket in self._kept.items():
            yield place, close_bucket(self._key, place, bucket)

    def _place(self, space: str, name: str) -> Place:
        return Place(space, self._key.bucket_of(space, name))

    def _bucket(self, place: Place, about: tuple[str, Key]) -> Bucket:
        for known in (self._trying, self._kept, self._opened):
            if place in known:
                return known[place]
        seen = self._seen(place)
        bucket = open_bucket(self._key, place, self._load(place), seen, about)
        self._opened[place] = bucket
        return bucket

    def _set(self, place: Place, name: str, entry: bytes | None, about: tuple[str, Key]) -> None:
        bucket = self._bucket(place, about)
        entries = dict(bucket.entries)
        if entry is None:
            entries.pop(name, None)
        else:
            entries[name] = entry
        self._trying[place] = Bucket(self._next_version(place), entries)

    def _next_version(self, place: Place) -> int:
        """Return the version that a bucket has after this transaction; it grows by one in each."""
        opened = self._opened[place]
        return opened.version + 1

    def _tally(
        self, space: str, values: Key, *, left: Mark | None = None, joined: Mark | None = None
    ) -> None:
        name, about = name_of(values), (space, values)
        place = self._place(space, name)
        bucket = self._bucket(place, about)
        tally = tally_in(self._key, bucket, space, name)
        if left is not None:
            tally = tally.with_row(left, -1)
        if joined is not None:
            tally = tally.with_row(joined, 1)
        if tally.rows < 0 or (tally.rows == 0 and tally.total):
            raise Altered(*about, Problem.CHANGED)
        # The version after this transaction, which no other sum of the group was stored with.
        nonce = self._next_version(place)
        entry = tally_entry(self._key, space, name, nonce, tally) if tally.rows else None
        self._set(place, name, entry, about)
