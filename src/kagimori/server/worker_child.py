"""A worker's process, seen from the supervisor: started, asked, and drained."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from kagimori.machinery.control import Answer, BadMessage, Question, frame, read_answer
from kagimori.machinery.logs import Log
from kagimori.server.child import Child
from kagimori.server.metrics import Snapshot
from kagimori.server.worker_config import WorkerConfig

ANSWER_SECONDS_MAX: Final = 2.0
ASK_SECONDS: Final = 1.0  # between questions to a worker that starts


class WorkerChild(Child):
    """A worker's process and the control connection to it."""

    def __init__(self, module: str, config: WorkerConfig, *, inherits: tuple[int, ...]) -> None:
        super().__init__(module, config, inherits=inherits)
        self._asking = asyncio.Lock()
        self._asked = 0
        self.is_ready = False
        self.refused: str | None = None

    async def wait_ready(self, silent_seconds: float) -> bool:
        """Return whether the worker serves; it has ended otherwise.

        One that answers nothing for so long while it starts is ended. One that answers may wait,
        for its HSM, as long as it takes.
        """
        self._reader = await self._connect()
        asking = asyncio.create_task(self._keep_asking())
        try:
            answer = await self._next_answer(silent_seconds)
            while answer.number != 0:
                answer = await self._next_answer(silent_seconds)
            self.refused = answer.refused
            self.is_ready = self.refused is None
        except TimeoutError:
            self.refused = f"a worker answered nothing for {silent_seconds:g} s while it started"
            Log().error("trouble", part="worker", why=self.refused)
            self.process.kill()
        except (OSError, EOFError, BadMessage):
            pass
        finally:
            asking.cancel()
        return self.is_ready

    async def _next_answer(self, silent_seconds: float) -> Answer:
        async with asyncio.timeout(silent_seconds):
            return await read_answer(self._reader)

    async def _keep_asking(self) -> None:
        while True:
            self._asked += 1
            self._say(Question(self._asked, "alive"))
            await asyncio.sleep(ASK_SECONDS)

    async def snapshot(self) -> Snapshot | None:
        """Return the worker's counters; None if it does not answer."""
        found: Snapshot | None = await self._ask("snapshot")
        return found

    async def is_alive(self) -> bool:
        """Return whether its loop turns."""
        return await self._ask("alive") is not None

    async def _ask(self, asked: str) -> Any:
        if not self.is_ready or self._writer is None:
            return None
        try:
            async with self._asking, asyncio.timeout(ANSWER_SECONDS_MAX):
                self._asked += 1
                self._writer.write(frame(Question(self._asked, asked)))
                while True:  # past the late answers to questions that were given up
                    answer = await read_answer(self._reader)
                    if answer.number == self._asked:
                        return answer.value
        except BadMessage:
            self.process.kill()  # it does not speak as we do any more: another takes its place
        except (OSError, EOFError, RuntimeError):
            pass  # a transport that has closed meanwhile answers with a RuntimeError
        return None

    def drain(self) -> None:
        """Have it take no further connections, answer what it has, and end."""
        self._say(Question(0, "drain"))


async def snapshots_of(workers: Iterable[WorkerChild]) -> list[Snapshot]:
    """Return the counters of the workers that answer."""
    found = await asyncio.gather(*(worker.snapshot() for worker in workers))
    return [snapshot for snapshot in found if snapshot is not None]
