"""Throughput of one worker and of two: `python bench/workers.py`.

Both servers run beside each other and are measured in turn, so that both see the same machine.
"""

import tempfile
from pathlib import Path

from machine import described
from measure import measure_in_turn
from report import Figures, put_between
from requests_made import LoadMaker
from servers import Kagimori
from stores import NO_QUOTAS

PAGE = Path(__file__).parents[1] / "docs/look-up/performance.md"
BEGIN = "<!-- figures of workers: written by `make bench` -->"
END = "<!-- end of those of workers -->"
OPERATIONS = ("Encrypt", "Decrypt")
WORKERS = (1, 2)
CONNECTIONS = (16, 64)


def write(folder: Path, *, rounds: int, seconds: int, page: Path | None) -> None:
    """Measure, print, and write the table into the page, if one is given."""
    with (
        Kagimori(folder / "one", options=(*NO_QUOTAS, "--workers", "1")) as one,
        Kagimori(folder / "two", options=(*NO_QUOTAS, "--workers", "2")) as two,
    ):
        servers = {1: (one, LoadMaker(one).load), 2: (two, LoadMaker(two).load)}
        found = measure_in_turn(servers, OPERATIONS, CONNECTIONS, rounds=rounds, seconds=seconds)
    text = _table(found)
    print(text)
    if page is not None:
        put_between(page, BEGIN, END, text)


def _table(found: dict[tuple[str, int, int], Figures]) -> str:
    machine = ", ".join(f"{name}: {value}" for name, value in described().items())
    busy = max(one.others_cores for one in found.values())
    lines = [
        f"{machine}.",
        f"Up to {busy:.1f} cores were busy with others' work; the load's own client is none of it.",
        "",
        "| operation | connections | 1 worker, a second | 2 workers, a second | server CPU each |",
        "|---|---:|---:|---:|---|",
    ]
    for operation in OPERATIONS:
        for connections in CONNECTIONS:
            one, two = (found[operation, connections, workers] for workers in WORKERS)
            wrong = one.errors + two.errors
            lines.append(
                f"| {operation} | {connections} | {one.per_second:,.0f} | {two.per_second:,.0f} | "
                f"{one.cpu_us:,.0f} and {two.cpu_us:,.0f} µs"
                f"{f', {wrong} refused' if wrong else ''} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kagimori-bench-") as place:
        write(Path(place), rounds=2, seconds=2, page=None)
