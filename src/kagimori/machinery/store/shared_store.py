"""One worker's store in a database that several nodes share.

Memory may be answered from only while the database has confirmed it a short while ago: a node that
lost the database would otherwise go on with policies and grants that others have long changed.
"""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.engines import engine_of, is_server
from kagimori.machinery.store.feed_watch import FeedWatch
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.ports import Table


class SharedStore(WorkerStore):
    """A worker's store that is fresh for `stale_seconds` after the database confirmed it."""

    def __init__(
        self,
        place: str | Path,
        signal: ChangeSignal,
        *,
        stream: str,
        tables: Sequence[Table],
        stale_seconds: float,
        waits_for_key: bool = False,
    ) -> None:
        super().__init__(place, signal, stream=stream, tables=tables, waits_for_key=waits_for_key)
        self._stale_seconds = stale_seconds
        self._changes_seen = 0
        self._read_at = time.monotonic()
        self._is_announcing = False
        self._watch = FeedWatch(
            lambda: engine_of(place).open(stream, (), read_only=True),
            stream,
            lambda: self._positions,
        )

    @property
    def healthy(self) -> bool:
        """Return whether the last write succeeded, and the database was read a while ago."""
        return not self._writes_fail and self._is_confirmed()

    def is_fresh(self) -> bool:
        """Return whether memory may be answered from as it is."""
        return (
            self._signal.counts[:] == self._seen
            and self._watch.changes == self._changes_seen
            and self._is_confirmed()
        )

    def close(self) -> None:
        self._watch.close()
        super().close()

    def _is_confirmed(self) -> bool:
        confirmed_at = max(self._watch.confirmed_at, self._read_at)
        return time.monotonic() - confirmed_at < self._stale_seconds

    def _look(self) -> Any:
        return super()._look(), self._watch.changes, time.monotonic()

    def _took(self, look: Any) -> None:
        seen, self._changes_seen, self._read_at = look
        super()._took(seen)

    def _announce(self) -> None:
        super()._announce()
        if not self._is_announcing:
            self._is_announcing = True
            self._writing.call(self._announce_outside).then(self._announced)

    def _announce_outside(self) -> None:
        with contextlib.suppress(*self._writer.errors):  # they look again soon anyway
            self._writer.announce_change()

    def _announced(self) -> None:
        self._is_announcing = False


def open_worker_store(
    place: str | Path,
    signal: ChangeSignal,
    *,
    stream: str,
    tables: Sequence[Table],
    stale_seconds: float,
    waits_for_key: bool = False,
) -> WorkerStore:
    """Return a worker's store at a place."""
    if is_server(place):
        return SharedStore(
            place,
            signal,
            stream=stream,
            tables=tables,
            stale_seconds=stale_seconds,
            waits_for_key=waits_for_key,
        )
    return WorkerStore(place, signal, stream=stream, tables=tables, waits_for_key=waits_for_key)
