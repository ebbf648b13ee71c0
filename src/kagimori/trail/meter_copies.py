"""The meter in a backup: copied while it is written, and made to fit a restored store.

What is restored is an older state of the keys beside a trail that knows later ones. The meter
follows the trail, and so would charge for keys that are gone, and not for those that came back.
"""

import contextlib
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.metering.key_lives import (
    CANCELLED,
    DELETED,
    LOST,
    MADE,
    ROTATED,
    SCHEDULED,
    KeyChange,
    is_pending,
    life_of,
)
from kagimori.rules.metering.older_keys import changes_of
from kagimori.trail.meter import METER_NAME, Meter, MeterUnusable
from kagimori.trail.reader import stream_folders
from kagimori.trail.tail import TrailBroken

_PENDING: Final = (KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION)
_INSERT: Final = "INSERT OR REPLACE INTO key_changes VALUES (?,?,?,?,?,?,?,?)"
_DELETE: Final = (
    "DELETE FROM key_changes WHERE account_id = ? AND key_id = ? AND region IN (?, '') "
    "AND kind = ? AND (identity = ? OR ? IS NULL)"
)
_Key = tuple[str, str, str]


def copy_meter(audit: Path, target: Path) -> bool:
    """Copy the meter as it is at one moment; return whether there is one that can be read."""
    source = audit / METER_NAME
    if not source.is_file():
        return False
    try:
        with (
            contextlib.closing(_read_only(source)) as reading,
            contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writing,
        ):
            target.chmod(0o600)
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, without another beside it
    except sqlite3.Error:
        target.unlink(missing_ok=True)
        return False
    return True


def settle_meter(audit: Path, keys: Iterable[KmsKey], *, since: float, at: float) -> None:
    """Count the rest of the journals, and charge from `at` on for the keys as a store has them.

    `since` is the moment of the store. What cannot be counted is left to the server, which says so.

    Raises:
        OSError: a journal cannot be read.
    """
    stored = {(key.account_id, key.key_id, key.region): key for key in keys}
    try:
        with contextlib.closing(Meter(audit)) as meter:
            for folder in stream_folders(audit):
                with contextlib.suppress(TrailBroken):
                    meter.follow(folder)
            if not meter.knows_older_keys:
                found = (one for key in stored.values() for one in changes_of(key, at))
                meter.add_older_keys(found)
        with contextlib.closing(sqlite3.connect(audit / METER_NAME)) as connection, connection:
            for key, changes in list(_changes_by_key(connection)):
                settling = _Settling(connection, key, changes, math.floor(at))
                settling.settle(stored.get(key), since)
    except MeterUnusable:
        return


class _Settling(Struct, frozen=True):
    """The changes of one key, which are made to lead to what the store has of it."""

    connection: sqlite3.Connection
    key: _Key
    changes: Sequence[KeyChange]
    at: int

    def settle(self, stored: KmsKey | None, since: float) -> None:
        """Add and take away changes; `since` is the moment of the store."""
        life = life_of("", self.changes)
        if life is None:
            return
        if stored is None:
            if life.gone_at is None:
                self._insert(LOST)
            return
        for kind in {change.kind for change in self.changes} & {DELETED, LOST}:
            self._delete(kind)
        waits = stored.state in _PENDING
        if waits != is_pending(self.changes):
            self._insert(SCHEDULED if waits else CANCELLED)
        materials = {backing_key.material_id for backing_key in stored.backing_keys}
        for change in self.changes:
            is_later = change.kind == ROTATED and change.at > since
            if is_later and change.identity not in materials:
                self._delete(ROTATED, change.identity)

    def _insert(self, kind: str) -> None:
        made = next(change for change in self.changes if change.kind == MADE)
        identity = f"restored {self.at}"
        row = (*self.key, kind, identity, self.at, made.key_spec, made.key_manager)
        self.connection.execute(_INSERT, row)

    def _delete(self, kind: str, identity: str | None = None) -> None:
        self.connection.execute(_DELETE, (*self.key, kind, identity, identity))


def _changes_by_key(connection: sqlite3.Connection) -> Iterator[tuple[_Key, list[KeyChange]]]:
    """Yield the changes of each key; those without a region are of all members of a set."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT kind, account_id, region, key_id, at, identity, key_spec, key_manager "
        "FROM key_changes"
    ).fetchall()
    grouped = defaultdict[tuple[str, str], list[KeyChange]](list)
    for row in rows:
        change = KeyChange(*row)
        grouped[change.account_id, change.key_id].append(change)
    for (account_id, key_id), changes in grouped.items():
        for region in {change.region for change in changes if change.kind == MADE}:
            own = [one for one in changes if one.region in (region, "")]
            yield (account_id, key_id, region), own


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
