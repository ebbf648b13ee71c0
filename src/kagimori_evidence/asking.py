"""Questions to the API and their answers, apart from how they are sent.

What collects facts yields lists of questions and is sent the answers in the same order. The command
asks one after the other, the console several together.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Ask:
    """A call of the API. `every` names a list of the answer that is wanted from all pages.

    `region` is the call's region, where it is not that of who asks.
    """

    service: str
    operation: str
    members: Mapping[str, Any] = field(default_factory=dict)
    region: str | None = None
    every: str | None = None


@dataclass(frozen=True)
class Refused:
    """The answer to a question that was refused, or not answered at all."""

    code: str
    message: str


Answer = dict[str, Any] | Refused
Collecting = Generator[Sequence[Ask], Sequence[Answer], T]


def collected(collecting: Collecting[T], answers: Callable[[Sequence[Ask]], Sequence[Answer]]) -> T:
    """Return the result of collecting; `answers` answers each list of questions."""
    try:
        asked = next(collecting)
        while True:
            asked = collecting.send(answers(asked))
    except StopIteration as done:
        result: T = done.value
        return result


async def collected_async(
    collecting: Collecting[T], answers: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer]]]
) -> T:
    """Return the result of collecting, as `collected`."""
    try:
        asked = next(collecting)
        while True:
            asked = collecting.send(await answers(asked))
    except StopIteration as done:
        result: T = done.value
        return result


class NotRead:
    """The parts that could not be read: a report names them instead of leaving them out."""

    def __init__(self) -> None:
        self.entries: list[dict[str, str]] = []

    def noted(
        self, ask: Ask, answer: Answer, *, absent: Sequence[str] = ()
    ) -> dict[str, Any] | None:
        """Return an answer's members; None, and a note, if there are none.

        Codes in `absent` say that there is no such thing, which is an answer.
        """
        if not isinstance(answer, Refused):
            return answer
        if answer.code not in absent:
            about = ", ".join(str(value) for value in ask.members.values())
            entry = {
                "operation": f"{ask.service}:{ask.operation}",
                "about": about,
                "region": ask.region or "",
                "code": answer.code,
                "message": answer.message,
            }
            self.entries.append(entry)
        return None

    def left_out(self, about: str, reason: str) -> None:
        """Note something that was not asked for."""
        entry = {"operation": "", "about": about, "region": "", "code": "", "message": reason}
        self.entries.append(entry)


def epoch(value: Any) -> float | None:
    """Return a time of an answer as seconds since the epoch; botocore gives `datetime`s."""
    if value is None:
        return None
    return float(value.timestamp() if hasattr(value, "timestamp") else value)


def shown(value: Any) -> str | None:
    """Return a time of an answer as ISO 8601 in UTC, whole seconds."""
    at = epoch(value)
    if at is None:
        return None
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def days_since(value: Any, now: float) -> int | None:
    """Return the whole days since a time of an answer."""
    at = epoch(value)
    return None if at is None else int((now - at) // 86_400)
