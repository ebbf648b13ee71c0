"""The base of followers that derive a database from the journals: the index, and the meter.

The database is opened when it is needed, and closed on trouble. A stream that does not go on from
where the database is left where it is, and reported.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from kagimori.trail.source import Source
from kagimori.trail.tail import EVERYTHING, TrailBroken

TURN_SECONDS: Final = 0.25


class Derived(Protocol):
    """A database that is derived from the journals."""

    @property
    def is_in_place(self) -> bool:
        """Return whether the file still is the one that is written to."""

    def follow(self, folder: Path, up_to: int = EVERYTHING) -> int:
        """Take in the new records of a stream up to a sequence number; return how many.

        Raises:
            TrailBroken: the stream does not go on from what was taken in.
        """

    def close(self) -> None: ...


D = TypeVar("D", bound=Derived)


class DerivingFollower(ABC, Generic[D]):
    """A follower that keeps a database up to date; a subclass says which one."""

    name: str
    # What is done no more with a stream that is broken, as a participle.
    done: str

    def __init__(self, source: Source) -> None:
        self._source = source
        self._derived: D | None = None
        self._broken: dict[str, str] = {}

    def turn(self, *, stopping: bool) -> float:
        try:
            self._follow(self._opened())
        except Exception:
            self.close()
            raise
        return TURN_SECONDS

    def standing(self) -> str | None:
        broken = next(iter(self._broken.values()), None)
        return None if broken is None else f"nothing more of a stream is {self.done}: {broken}"

    def close(self) -> None:
        if self._derived is not None:
            self._derived.close()
            self._derived = None

    @abstractmethod
    def _open(self) -> D:
        """Open the database."""

    @abstractmethod
    def _finish_turn(self, derived: D) -> None:
        """Finish a turn in which all streams were followed."""

    def _begins_anew(self, stream: str) -> bool:
        """Return whether the database was removed since a stream is broken, to be made anew."""
        return False

    def _opened(self) -> D:
        if self._derived is not None and not self._derived.is_in_place:
            self.close()
        if self._derived is None:
            self._derived = self._open()
        return self._derived

    def _follow(self, derived: D) -> None:
        ends = self._source.ends()
        for folder in self._source.folders():
            if folder.name in self._broken:
                continue
            try:
                derived.follow(folder, ends.get(folder.name, EVERYTHING))
            except TrailBroken as broken:
                if self._begins_anew(folder.name):
                    return
                self._broken[folder.name] = str(broken)
        self._finish_turn(derived)
