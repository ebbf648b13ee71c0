"""Watches the change feed of a store that several nodes share, on a thread of its own.

It reads how far each stream is several times a second, and at once when the database announces a
change, if it can. Each reading confirms the memory of the worker, unless a stream has gone on.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from kagimori.machinery.store.database import Database, Positions

HEARTBEAT_SECONDS: Final = 0.25


class FeedWatch:
    """`confirmed_at` is when the last reading began that went well, by the monotonic clock.

    `changes` grows when a stream has gone on beyond what `known` returns. Both are written by the
    thread alone, and read by the loop.
    """

    def __init__(
        self,
        open_database: Callable[[], Database],
        own_stream: str,
        known: Callable[[], Positions],
    ) -> None:
        self._open, self._own, self._known = open_database, own_stream, known
        self.confirmed_at = time.monotonic()
        self.changes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; it may take a heartbeat."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        database: Database | None = None
        while not self._ended.is_set():
            try:
                if database is None:
                    database = self._open()
                self._look(database)
                database.await_change(HEARTBEAT_SECONDS)
            except Exception:  # noqa: BLE001 - the worker notices that nothing is confirmed
                self._ended.wait(HEARTBEAT_SECONDS)
        if database is not None:
            database.close()

    def _look(self, database: Database) -> None:
        began = time.monotonic()
        positions, known = database.positions(), self._known()
        if any(
            newest > known.get(stream, 0)
            for stream, newest in positions.items()
            if stream != self._own
        ):
            self.changes += 1
        self.confirmed_at = began
