"""The figures as a table, for the terminal and for the page in the documentation."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median as middle
from typing import NamedTuple

BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"
BESIDE = 64
MOTO = "moto Encrypt"
LOCAL_KMS = "local-kms"
BESIDE_RATIO_MAX = 3
ALONE = "alone"


@dataclass(frozen=True)
class Figures:
    """One row.

    `cpu_us` is user and system time of all the server's processes, per request; `others_cores` is
    how many cores were busy with neither the server nor the load.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_us: float
    others_cores: float


def median(rounds: list[Figures]) -> Figures:
    """Return the median of each figure; errors are added up."""
    return Figures(
        per_second=middle(each.per_second for each in rounds),
        p50_ms=middle(each.p50_ms for each in rounds),
        p99_ms=middle(each.p99_ms for each in rounds),
        errors=sum(each.errors for each in rounds),
        cpu_us=middle(each.cpu_us for each in rounds),
        others_cores=middle(each.others_cores for each in rounds),
    )


class Asked(NamedTuple):
    """A limit, and whether it is kept."""

    what: str
    measured: str
    limit: str
    met: bool

    @classmethod
    def at_most(cls, what: str, measured: float, limit: float, unit: str) -> "Asked":
        digits = 2 if measured < 10 else 0
        return cls(what, f"{measured:,.{digits}f}{unit}", f"≤ {limit:g}{unit}", measured <= limit)

    @classmethod
    def at_least(cls, what: str, measured: float, limit: float) -> "Asked":
        return cls(what, f"{measured:,.0f}", f"≥ {limit:,}", measured >= limit)


def put_between(page: Path, begin: str, end: str, text: str) -> None:
    """Put text between two marks of a page; make the page if there is none."""
    if page.exists():
        content = page.read_text(encoding="utf-8")
    else:
        content = f"# Performance\n\n{begin}\n{end}\n"
    before, _, rest = content.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{page} has no place for figures: {begin} … {end}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


class Report:
    """Collects what was measured, and says it."""

    def __init__(self, machine: dict[str, str], *, rounds: int, seconds: float) -> None:
        self._machine = machine
        self._how = f"median of {rounds}" if rounds > 1 else "one round"
        self._seconds = seconds
        self._rows: dict[tuple[str, int], Figures] = {}
        self._lines: list[str] = []
        self._asked: list[Asked] = []
        self._idle_mib: dict[str, float] = {}
        self._key_uses: dict[str, tuple[Figures, float]] = {}
        self._beside: dict[tuple[int, str], Figures] = {}
        self._done: dict[str, int] = {}

    @property
    def has_errors(self) -> bool:
        uses = [figures for figures, _ in self._key_uses.values()]
        all_of_them = (*self._rows.values(), *uses, *self._beside.values())
        return any(figures.errors for figures in all_of_them)

    def say(self, line: str) -> None:
        """Add a sentence about the whole run."""
        self._lines.append(line)

    def judge(self, asked: Iterable[Asked]) -> None:
        """Add limits that were measured elsewhere."""
        self._asked.extend(asked)

    def bare(self, encrypt_us: float, decrypt_us: float) -> None:
        self._lines.append(
            "Key derivation and AES-256-GCM alone, in one process, 32 bytes: "
            f"encrypt {encrypt_us:.1f} µs, decrypt {decrypt_us:.1f} µs."
        )

    def start(self, seconds: float) -> None:
        self._lines.append(f"From start to ready: {seconds:.2f} s.")
        self._asked.append(Asked.at_most("start to ready", seconds, 2, " s"))

    def idle(self, memory_mib: dict[str, float]) -> None:
        self._idle_mib = memory_mib
        total = sum(memory_mib.values())
        self._asked.append(Asked.at_most("memory idle, all processes", total, 160, " MiB"))

    def after(self, memory_mib: dict[str, float]) -> None:
        each = ", ".join(
            f"{name} {self._idle_mib[name]:.0f} → {memory_mib[name]:.0f}" for name in memory_mib
        )
        self._lines.append(f"Resident memory, idle → after all runs, MiB: {each}.")

    def row(self, name: str, connections: int, figures: Figures) -> None:
        self._rows[name, connections] = figures

    def key_use(self, name: str, figures: Figures, bare_us: float) -> None:
        """Add a row of the second table; `bare_us` is the primitive alone."""
        self._key_uses[name] = figures, bare_us

    def alone(self, connections: int, figures: Figures) -> None:
        """Add Encrypt with nobody beside it."""
        self._beside[connections, ALONE] = figures

    def beside(self, connections: int, what: str, figures: Figures) -> None:
        """Add Encrypt while somebody else did something, after the row of it alone."""
        self._beside[connections, what] = figures
        ratio = figures.p99_ms / self._beside[connections, ALONE].p99_ms
        asked = f"Encrypt, {connections}: p99 while {what}, to p99 alone"
        limit = f"< {BESIDE_RATIO_MAX}"
        self._asked.append(Asked(asked, f"{ratio:.2f}", limit, ratio < BESIDE_RATIO_MAX))

    def did(self, what: str, times: int) -> None:
        """Count what was done beside."""
        self._done[what] = self._done.get(what, 0) + times

    def text(self) -> str:
        """Return all of it in Markdown."""
        machine = "; ".join(f"{name}: {value}" for name, value in self._machine.items())
        day = datetime.now(UTC).date().isoformat()
        return "\n".join([
            f"Measured on {day}, {self._how}, {self._seconds:g} s each. {machine}.",
            "wrk ran on the same cores. Every record was synced to the disk before its answer.",
            "", *self._table(), "", *self._table_of_key_uses(),
            "", *self._table_beside(), "", *(f"- {line}" for line in self._lines),
            "", "| asked | measured | limit | |", "|---|---|---|---|",
            *(f"| {what} | {measured} | {limit} | {'met' if met else '**missed**'} |"
              for what, measured, limit, met in (*self._asked, *self._asked_of_rows())),
        ])  # fmt: skip

    def write(self, page: Path) -> None:
        """Put the table between the markers of the page; make the page if there is none."""
        put_between(page, BEGIN, END, self.text())

    def _table(self) -> list[str]:
        columns = "what clients req/s p50_ms p99_ms errors CPU_µs others echo moto local-kms"
        lines = [
            f"| {' | '.join(columns.split()).replace('_', ' ')} |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for (name, connections), row in self._rows.items():
            lines.append(
                f"| {name} | {connections} | {row.per_second:,.0f} | {row.p50_ms:.2f} "
                f"| {row.p99_ms:.2f} | {row.errors} | {row.cpu_us:.0f} | {row.others_cores:.2f} "
                f"| {self._ratio(row, 'echo', connections, '.0%')} "
                f"| {self._ratio(row, MOTO, BESIDE, '.1f')} "
                f"| {self._ratio(row, f'{LOCAL_KMS} {name}', BESIDE, '.2f')} |"
            )
        return lines

    def _table_of_key_uses(self) -> Iterator[str]:
        yield "| use | clients | req/s | p50 ms | p99 ms | errors | CPU µs | bare µs | of bare |"
        yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
        for name, (row, bare_us) in self._key_uses.items():
            yield (
                f"| {name} | {BESIDE} | {row.per_second:,.0f} | {row.p50_ms:.2f} "
                f"| {row.p99_ms:.2f} | {row.errors} | {row.cpu_us:.0f} | {bare_us:.1f} "
                f"| {row.per_second * bare_us / 1e6:.0%} |"
            )

    def _table_beside(self) -> Iterator[str]:
        yield "| Encrypt | clients | req/s | p50 ms | p99 ms | errors | others |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        for (connections, what), row in self._beside.items():
            yield (
                f"| {what if what == ALONE else f'while {what}'} | {connections} "
                f"| {row.per_second:,.0f} | {row.p50_ms:.2f} | {row.p99_ms:.2f} | {row.errors} "
                f"| {row.others_cores:.2f} |"
            )
        done = ", ".join(f"{what}: {times} in all" for what, times in self._done.items())
        yield f"\nBeside: {done}."

    def _ratio(self, row: Figures, other: str, connections: int, form: str) -> str:
        beside = self._rows.get((other, connections))
        if beside is None or beside is row or not beside.per_second:
            return ""
        return format(row.per_second / beside.per_second, form)

    def _asked_of_rows(self) -> Iterator[Asked]:
        """Judge what is asked of each operation, on two cores shared with wrk."""
        moto = self._rows[MOTO, BESIDE].per_second
        for (name, connections), row in self._rows.items():
            where = f"{name}, {connections}"
            if name in ("echo", MOTO) or name.startswith(LOCAL_KMS):
                continue
            if connections == 1:
                yield Asked.at_most(f"{where}: p50", row.p50_ms, 2, " ms")
            if connections == BESIDE:
                yield Asked.at_least(f"{where}: requests/s", row.per_second, 10_000)
                yield Asked.at_most(f"{where}: p99", row.p99_ms, 15, " ms")
                yield Asked.at_most(f"{where}: server CPU", row.cpu_us, 100, " µs")
                yield Asked.at_least(f"{where}: times moto", row.per_second / moto, 35)
                yield from self._asked_beside_local_kms(name, row)

    def _asked_beside_local_kms(self, name: str, row: Figures) -> Iterator[Asked]:
        """Judge an operation by local-kms's, which checks and records nothing."""
        beside = self._rows.get((f"{LOCAL_KMS} {name}", BESIDE))
        if beside is None:
            return
        where = f"{name}, {BESIDE}, to local-kms"
        rate = row.per_second / beside.per_second
        yield Asked.at_most(f"{where}: server CPU", row.cpu_us / beside.cpu_us, 1.5, " times")
        yield Asked(f"{where}: requests/s", f"{rate:.2f} times", "≥ 0.6 times", rate >= 0.6)
        yield Asked.at_most(f"{where}: p99", row.p99_ms / beside.p99_ms, 1.5, " times")
