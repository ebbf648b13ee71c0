"""One measurement: a load against a server, with the CPU of the server and of others beside it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from load import Load, run_load
from machine import busy_seconds
from report import Figures, median
from servers import Server

Name = TypeVar("Name")


def measure(
    server: Server, load: Load, connections: int, seconds: int, *, warm_up: bool = True
) -> Figures:
    """Measure one load: a second unmeasured, unless its requests hold once, then the rest."""
    url, processes = server.url, server.processes()
    if warm_up:
        run_load(url, load, connections=connections, seconds=1)
    cpu_before, busy_before = processes.cpu_seconds(), busy_seconds()
    result = run_load(url, load, connections=connections, seconds=seconds)
    cpu_seconds = processes.cpu_seconds() - cpu_before
    others_seconds = busy_seconds() - busy_before - cpu_seconds - result.load_cpu_seconds
    return Figures(
        per_second=result.requests / result.seconds,
        p50_ms=result.p50_ms,
        p99_ms=result.p99_ms,
        errors=result.errors,
        cpu_us=cpu_seconds * 1e6 / max(1, result.requests),
        others_cores=max(0.0, others_seconds / result.seconds),
    )


def measure_in_turn(
    servers: Mapping[Name, tuple[Server, Callable[[str], Load]]],
    operations: Sequence[str],
    connections: Sequence[int],
    *,
    rounds: int,
    seconds: int,
    once: Sequence[str] = (),
) -> dict[tuple[str, int, Name], Figures]:
    """Measure servers that run beside each other, one after the other, so that all see one machine.

    Each comes with what makes its loads; the requests of operations named in `once` hold once.
    Returns the medians by operation, connections and server.
    """
    found: dict[tuple[str, int, Name], list[Figures]] = {}
    for _ in range(rounds):
        for operation in operations:
            for number in connections:
                for name, (server, load) in servers.items():
                    warm_up = operation not in once
                    figures = measure(server, load(operation), number, seconds, warm_up=warm_up)
                    found.setdefault((operation, number, name), []).append(figures)
    return {place: median(figures) for place, figures in found.items()}
