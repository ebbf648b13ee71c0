"""The slow lane: work that takes long, done beside the loop, shared out fairly by account.

Each account has a queue of its own, and the accounts take turns: however much one of them asks for,
another waits for no more than what is being done just now. Queues are bounded; what finds its queue
full is refused at once.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Final, Generic, NamedTuple, TypeVar

from kagimori_boundary.replies import Failed, Failure, Reply

WAITING_OF_ACCOUNT_MAX: Final = 16
WAITING_MAX: Final = 256
# Uses of keys that take long: each is done in milliseconds, so more of them may wait.
USES_OF_ACCOUNT_MAX: Final = 512
USES_MAX: Final = 2048
# Whoever waited longer is gone, or will ask again.
WAITING_SECONDS_MAX: Final = 20.0
# Of a lane of short work: pieces in one hand-over to its thread, and its time.
BATCH_MAX: Final = 32
BATCH_SECONDS: Final = 0.002
THREADS: Final = max(2, min(4, os.cpu_count() or 1))

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Bounded queues by account, taken from in turns."""

    def __init__(
        self, *, of_account_max: int = WAITING_OF_ACCOUNT_MAX, waiting_max: int = WAITING_MAX
    ) -> None:
        self._of_account_max = of_account_max
        self._waiting_max = waiting_max
        # In the order of their turns; an account without work has no queue.
        self._queues: dict[str, deque[T]] = {}
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def put(self, account: str, work: T) -> bool:
        """Add work of an account; return whether there was room."""
        queue = self._queues.get(account)
        if self._waiting >= self._waiting_max or (queue and len(queue) >= self._of_account_max):
            return False
        if queue is None:
            queue = self._queues[account] = deque()
        queue.append(work)
        self._waiting += 1
        return True

    def take(self) -> T | None:
        """Return the oldest work of the account whose turn it is; None if nothing waits."""
        if not self._queues:
            return None
        account = next(iter(self._queues))
        queue = self._queues.pop(account)
        work = queue.popleft()
        if queue:
            self._queues[account] = queue  # behind all others
        self._waiting -= 1
        return work


class _Job(NamedTuple):
    since: float
    work: Callable[[], Reply]
    done: Callable[[Reply], None]


class SlowLane:
    """Performs slow work on a few threads; the calls and the answers are the loop's."""

    def __init__(
        self,
        executor: Executor | None = None,
        *,
        threads: int = THREADS,
        of_account_max: int = WAITING_OF_ACCOUNT_MAX,
        waiting_max: int = WAITING_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor = executor or ThreadPoolExecutor(threads, "slow lane")
        self._threads = threads
        self._monotonic = monotonic
        self._queue: FairQueue[_Job] = FairQueue(
            of_account_max=of_account_max, waiting_max=waiting_max
        )
        self._running = 0

    def submit(
        self, account: str, work: Callable[[], Reply], done: Callable[[Reply], None]
    ) -> bool:
        """Queue `work`, and call `done` with its reply; False if there is no room."""
        if not self._queue.put(account, _Job(self._monotonic(), work, done)):
            return False
        self._start_next()
        return True

    def _start_next(self) -> None:
        while self._running < self._threads:
            job = self._queue.take()
            if job is None:
                return
            if self._monotonic() - job.since > WAITING_SECONDS_MAX:
                job.done(Failed(Failure.BUSY))
                continue
            self._running += 1
            running = asyncio.get_running_loop().run_in_executor(self._executor, job.work)
            running.add_done_callback(partial(self._finish, job))

    def _finish(self, job: _Job, done: "asyncio.Future[Reply]") -> None:
        self._running -= 1
        if not done.cancelled():
            job.done(done.result())
        self._start_next()


class BatchLane(SlowLane):
    """A slow lane of one thread for work of which much is short: a hand-over does several pieces.

    It ends after `BATCH_SECONDS`, so that no answer waits for much of the work behind it.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        of_account_max: int,
        waiting_max: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            executor,
            threads=1,
            of_account_max=of_account_max,
            waiting_max=waiting_max,
            monotonic=monotonic,
        )
        self._left: deque[_Job] = deque()

    def _start_next(self) -> None:
        if self._running:
            return
        batch = self._batch()
        if batch:
            self._running = 1
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._executor, partial(self._perform, batch))
            running.add_done_callback(partial(self._finish_batch, batch))

    def _batch(self) -> list[_Job]:
        """Return the next pieces of work: what the batch before did not come to, then the queue."""
        batch = list(self._left)
        self._left.clear()
        while len(batch) < BATCH_MAX:
            job = self._queue.take()
            if job is None:
                break
            if self._monotonic() - job.since > WAITING_SECONDS_MAX:
                job.done(Failed(Failure.BUSY))
            else:
                batch.append(job)
        return batch

    def _perform(self, batch: list[_Job]) -> list[Reply]:
        """Return the replies to the first of a batch, as many as fit into the time."""
        until = self._monotonic() + BATCH_SECONDS
        replies = []
        for job in batch:
            replies.append(job.work())
            if self._monotonic() >= until:
                break
        return replies

    def _finish_batch(self, batch: list[_Job], done: "asyncio.Future[list[Reply]]") -> None:
        self._running = 0
        replies = [] if done.cancelled() else done.result()
        self._left.extend(batch[len(replies) :])
        self._start_next()
        for job, reply in zip(batch, replies, strict=False):
            job.done(reply)
