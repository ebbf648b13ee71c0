"""Requests since the server started: how many, with which result, and how long they took."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.pages.health.asking import asked, failure_in, found_in, tried
from kagimori_console.web.page import Page
from kagimori_console.web.plots import answer, bars
from kagimori_console.web.routing import get

_OK: Final = "ok"
_THROTTLED: Final = frozenset(
    {"ThrottlingException", "Throttling", "LimitExceededException", "TooManyRequestsException"}
)
_BARS_MAX: Final = 15
_MILLISECONDS: Final = 1000.0


@dataclass(frozen=True)
class OperationCount:
    """How often an operation was asked for: in all, refused, and of these throttled."""

    name: str
    requests: int
    refused: int
    throttled: int


def by_operation(counts: Iterable[Mapping[str, Any]]) -> list[OperationCount]:
    """Return the requests by operation, the most frequent first."""
    requests: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    throttled: Counter[str] = Counter()
    for one in counts:
        name = f"{one.get('Service', '')}:{one.get('Operation', '')}"
        requests[name] += one["Count"]
        if one["Result"] != _OK:
            refused[name] += one["Count"]
        if one["Result"] in _THROTTLED:
            throttled[name] += one["Count"]
    return sorted(
        (OperationCount(name, requests[name], refused[name], throttled[name]) for name in requests),
        key=lambda one: (-one.requests, one.name),
    )


def by_result(counts: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return the requests by error code, the most frequent first; without those that succeeded."""
    found: Counter[str] = Counter()
    for one in counts:
        if one["Result"] != _OK:
            found[one["Result"]] += one["Count"]
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def mean_milliseconds(stages: Iterable[Mapping[str, Any]]) -> list[tuple[str, int, float]]:
    """Return stage, requests and the mean time, for stages that a request went through."""
    return [
        (one["Stage"], one["Count"], one["Seconds"] / one["Count"] * _MILLISECONDS)
        for one in stages
        if one.get("Count") and "Seconds" in one
    ]


async def show(page: Page) -> Response:
    """Show the counts and times."""
    metrics = await tried(page.api, "GetMetricsSummary")
    found = found_in(metrics)
    counts: Sequence[Mapping[str, Any]] = [] if found is None else found["Requests"]
    return page.render(
        "health/requests.html",
        metrics=found,
        failure=failure_in(metrics),
        operations=by_operation(counts),
        results=by_result(counts),
        stages=mean_milliseconds([] if found is None else found["Stages"]),
    )


async def operations_plot(page: Page) -> Response:
    """Draw the requests by operation."""
    found = await asked(page.api, "GetMetricsSummary")
    rows = by_operation(found["Requests"])[:_BARS_MAX]
    series = [
        (page.text("Succeeded"), [one.requests - one.refused for one in rows]),
        (page.text("Refused"), [one.refused for one in rows]),
    ]
    return answer(bars(page.query("theme"), [one.name for one in rows], series))


async def latency_plot(page: Page) -> Response:
    """Draw the mean time of each stage."""
    found = await asked(page.api, "GetMetricsSummary")
    rows = mean_milliseconds(found["Stages"])
    series = [("ms", [round(mean, 3) for _, _, mean in rows])]
    return answer(bars(page.query("theme"), [stage for stage, _, _ in rows], series))


ROUTES = (
    get("/health/requests", show),
    get("/health/requests/operations.svg", operations_plot),
    get("/health/requests/latency.svg", latency_plot),
)
