"""A thread with a queue, on which SQLite may block without stopping the event loop."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from kagimori.pending import Pending

Job = tuple[Callable[[], Any], Pending[Any]]


class WorkerThread:
    """Runs functions one after the other; each settles a pending on the loop."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], Any]) -> Pending[Any]:
        pending: Pending[Any] = Pending()
        self._jobs.put((function, pending))
        return pending

    def close(self) -> None:
        """Finish the queued work, then end."""
        self._jobs.put(None)
        self._thread.join()

    def leave(self) -> None:
        """End after the present work; nobody waits for it."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, pending = job
            try:
                value = function()
            except Exception as failure:  # noqa: BLE001 - handed to whoever waits
                self._settle(pending.fail, failure)
            else:
                self._settle(pending.settle, value)

    def _settle(self, settle: Callable[[Any], None], value: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(settle, value)
        except RuntimeError:  # the loop has closed: nobody waits any more
            return
