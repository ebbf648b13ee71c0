"""The followers' process, seen from the supervisor: started, watched, and ended in order."""

import asyncio
from typing import Any, Final

import msgspec
from msgspec import Struct

from kagimori.machinery.control import Answer, BadMessage, Question, read_answer
from kagimori.server.child import Child
from kagimori.trail.follower import ENDED, OK, FollowerState
from kagimori.trail.options import FINISH_SECONDS, TrailConfig

BEGIN_SECONDS_MAX: Final = 20.0
SILENCE_SECONDS_MAX: Final = 15.0  # without a report; it is given its time on a busy machine


class TrailReport(Struct, frozen=True):
    """How the followers are doing, by name; and folders that are no streams of ours."""

    followers: dict[str, FollowerState] = {}
    unknown_streams: list[str] = []

    def alarms(self) -> list[str]:
        """Return one line for each thing that somebody should look at."""
        lines = [
            f"follower {name} {one.state}: {one.why}"
            for name, one in self.followers.items()
            if one.state != OK
        ]
        if self.unknown_streams:
            lines.append(f"unknown streams in the audit folder: {', '.join(self.unknown_streams)}")
        return lines


class TrailChild(Child):
    """The followers' process, and its last report."""

    def __init__(self, config: TrailConfig, *, inherits: tuple[int, ...]) -> None:
        super().__init__("kagimori.trail", config, inherits=inherits)
        self._listening: asyncio.Task[None] | None = None
        self._reported = TrailReport()
        self._reported_at = 0.0

    async def begin(self) -> bool:
        """Have it follow; return whether it does."""
        loop = asyncio.get_running_loop()
        reader = await self._connect()
        try:
            async with asyncio.timeout(BEGIN_SECONDS_MAX):
                self._say(Question(1, "begin"))
                while (await read_answer(reader)).number != 1:
                    pass
        except (OSError, EOFError, BadMessage):
            return False
        self._reported_at = loop.time()
        self._listening = loop.create_task(self._listen(reader))
        return True

    def report(self) -> TrailReport:
        """Return how the followers are doing; all have ended if the process has, or is silent."""
        now = asyncio.get_running_loop().time()
        is_gone = self.process.poll() is not None
        if not is_gone and now - self._reported_at < SILENCE_SECONDS_MAX:
            return self._reported
        why = "the process has ended" if is_gone else "the process does not report"
        seconds = round(now - self._reported_at, 1)
        names = list(self._reported.followers) or ["trail"]
        ended = {name: FollowerState(ENDED, why, seconds) for name in names}
        return TrailReport(ended, self._reported.unknown_streams)

    async def finish(self) -> None:
        """Have it take in the rest and sign it, then end."""
        if self._writer is not None:
            self._say(Question(2, "finish"))
        await self.end(FINISH_SECONDS + 5.0)
        self.close()

    def close(self) -> None:
        """Let go of the conversation; the process ends with it."""
        if self._listening is not None:
            self._listening.cancel()
        super().close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                answer = await read_answer(reader)
                self._reported = _report_in(answer)
                self._reported_at = asyncio.get_running_loop().time()
            except (BadMessage, msgspec.ValidationError):
                self.process.kill()
                return
            except (OSError, EOFError):
                return


def _report_in(answer: Answer) -> TrailReport:
    value: Any = answer.value
    return msgspec.convert(value, TrailReport)
