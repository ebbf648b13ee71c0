"""Counters and the log of a worker; they are read elsewhere.

Labels come from fixed lists (operations, error codes), never from what a caller wrote.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from traceback import extract_tb
from typing import Any, Final

from kagimori.machinery.logs import Log

# Upper bounds in seconds; the last bucket is everything slower.
BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)


# So many requests are counted by stage together, which costs each of them less.
GATHERED_MAX: Final = 256
OTHER: Final = "other"
SERIES_MAX: Final = 20_000


class Histogram:
    """Counts by bucket, and their sum in seconds."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def add(self, seconds: list[float]) -> None:
        """Count some observations; the list is sorted."""
        seconds.sort()
        counts, below = self.counts, 0
        for place, bound in enumerate(BUCKETS):
            up_to = bisect_right(seconds, bound)
            counts[place] += up_to - below
            below = up_to
        counts[-1] += len(seconds) - below
        self.seconds += sum(seconds)


class Telemetry:
    """Counters and histograms of one worker, and its structured log."""

    def __init__(self, log: Log | None = None, services: Collection[str] = ()) -> None:
        """Count requests of these services by name, and those of any other as `other`."""
        self._services = frozenset(services)
        self.requests: dict[tuple[str, str, str], int] = {}
        self.stages: dict[str, Histogram] = {
            name: Histogram() for name in ("who", "decide", "hsm", "record", "whole", "sync")
        }
        self._gathered: list[tuple[Sequence[tuple[str, float]], float]] = []
        self.records_synced = 0
        self.refused_below: dict[int, int] = {}
        self._log = log if log is not None else Log()

    def request(
        self,
        service: str,
        operation: str,
        result: str,
        marks: Sequence[tuple[str, float]],
        ended: float,
    ) -> None:
        """Count a request; each mark but the first is the end of a stage (`perf_counter`)."""
        key = (service, operation, result)
        if key not in self.requests:
            key = self._bounded(key)
        self.requests[key] = self.requests.get(key, 0) + 1
        self._gathered.append((marks, ended))
        if len(self._gathered) >= GATHERED_MAX:
            self._count_stages()

    def _count_stages(self) -> None:
        """Count the stages of the requests that have gathered."""
        gathered, self._gathered = self._gathered, []
        seconds: dict[str, list[float]] = {name: [] for name in self.stages}
        for marks, ended in gathered:
            began = before = marks[0][1]
            for name, at in marks[1:]:
                seconds[name].append(at - before)
                before = at
            seconds["whole"].append(ended - began)
        for name, found in seconds.items():
            if found:
                self.stages[name].add(found)

    def _bounded(self, key: tuple[str, str, str]) -> tuple[str, str, str]:
        """Return a new series under names of ours; any other name becomes `other`."""
        service, operation, result = key
        if service not in self._services:
            service, operation = OTHER, OTHER
        if len(self.requests) >= SERIES_MAX:
            service, operation, result = OTHER, OTHER, OTHER
        return service, operation, result

    def refused(self, status: int) -> None:
        """Count an answer below the API."""
        self.refused_below[status] = self.refused_below.get(status, 0) + 1

    def synced(self, records: int, seconds: float) -> None:
        self.records_synced += records
        histogram = self.stages["sync"]
        histogram.counts[bisect_left(BUCKETS, seconds)] += 1
        histogram.seconds += seconds

    def trouble(self, what: str, why: str) -> None:
        """Log something outside that failed."""
        self._log.error("trouble", what=what, why=why)

    def fault(self, problem: BaseException) -> None:
        """Log a fault of ours: its kind and where, never its text, which may hold input.

        INVARIANT(no-secret-in-sight).
        """
        frames = extract_tb(problem.__traceback__)[-4:]
        where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
        self._log.error("fault", kind=type(problem).__name__, where=where)

    def snapshot(self) -> dict[str, Any]:
        """Return everything counted, as plain values."""
        self._count_stages()
        return {
            "requests": [[*key, count] for key, count in self.requests.items()],
            "stages": {
                name: {"counts": histogram.counts, "seconds": histogram.seconds}
                for name, histogram in self.stages.items()
            },
            "records_synced": self.records_synced,
            "refused_below": [[status, count] for status, count in self.refused_below.items()],
        }
