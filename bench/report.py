"""The figures as a table, for the terminal and for the page in the documentation."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median as middle

BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"
BESIDE = 64
# Asked of Encrypt, Decrypt and GenerateDataKey at 64 connections, on two cores shared with wrk.
PER_SECOND_MIN = 10_000
P99_MS_MAX = 15.0
CPU_US_MAX = 100.0
TIMES_MOTO_MIN = 40.0
UNLOADED_P50_MS_MAX = 2.0
IDLE_MIB_MAX = 160.0
START_SECONDS_MAX = 2.0


@dataclass(frozen=True)
class Figures:
    """One row: `cpu_us` is user and system time of all the server's processes, per request."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_us: float


def median(rounds: list[Figures]) -> Figures:
    """Return the median of each figure; errors are added up."""
    return Figures(
        per_second=middle(each.per_second for each in rounds),
        p50_ms=middle(each.p50_ms for each in rounds),
        p99_ms=middle(each.p99_ms for each in rounds),
        errors=sum(each.errors for each in rounds),
        cpu_us=middle(each.cpu_us for each in rounds),
    )


class Report:
    """Collects what was measured, and says it."""

    def __init__(self, machine: dict[str, str], *, rounds: int, seconds: float) -> None:
        self._machine = machine
        self._how = f"median of {rounds}" if rounds > 1 else "one round"
        self._seconds = seconds
        self._rows: dict[tuple[str, int], Figures] = {}
        self._lines: list[str] = []
        self._asked: list[tuple[str, bool, str]] = []
        self._idle_mib: dict[str, float] = {}

    @property
    def has_errors(self) -> bool:
        return any(figures.errors for figures in self._rows.values())

    def bare(self, encrypt_us: float, decrypt_us: float) -> None:
        self._lines.append(
            "Key derivation and AES-256-GCM alone, in one process, 32 bytes: "
            f"encrypt {encrypt_us:.1f} µs, decrypt {decrypt_us:.1f} µs."
        )

    def start(self, seconds: float) -> None:
        self._lines.append(f"From start to ready: {seconds:.2f} s.")
        self._ask("start to ready", f"{seconds:.2f} s", f"≤ {START_SECONDS_MAX:g} s",
                  seconds <= START_SECONDS_MAX)

    def idle(self, memory_mib: dict[str, float]) -> None:
        self._idle_mib = memory_mib
        total = sum(memory_mib.values())
        self._ask("memory idle, all processes", f"{total:.0f} MiB", f"≤ {IDLE_MIB_MAX:g} MiB",
                  total <= IDLE_MIB_MAX)

    def after(self, memory_mib: dict[str, float]) -> None:
        each = ", ".join(
            f"{name} {self._idle_mib[name]:.0f} → {memory_mib[name]:.0f}" for name in memory_mib
        )
        self._lines.append(f"Resident memory, idle → after all runs, MiB: {each}.")

    def row(self, name: str, connections: int, figures: Figures) -> None:
        self._rows[name, connections] = figures

    def text(self) -> str:
        """Return all of it in Markdown."""
        self._judge()
        machine = "; ".join(f"{name}: {value}" for name, value in self._machine.items())
        day = datetime.now(UTC).date().isoformat()
        return "\n".join([
            f"Measured on {day}, {self._how}, {self._seconds:g} s each. {machine}.",
            "wrk ran on the same cores. Every record was synced to the disk before its answer.",
            "", *self._table(), "", *(f"- {line}" for line in self._lines),
            "", "| asked | measured | limit | |", "|---|---|---|---|",
            *(f"| {what} | {words} | {'met' if met else '**missed**'} |"
              for what, met, words in self._asked),
        ])  # fmt: skip

    def write(self, page: Path) -> None:
        """Put the table between the markers of the page; make the page if there is none."""
        if page.exists():
            content = page.read_text(encoding="utf-8")
        else:
            content = f"# Performance\n\n{BEGIN}\n{END}\n"
        before, _, rest = content.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"{page} has no place for figures: {BEGIN} … {END}")
        text = f"{before}{BEGIN}\n\n{self.text()}\n\n{END}{after}"
        page.write_text(text, encoding="utf-8")

    def _table(self) -> list[str]:
        lines = [
            "| what | connections | requests/s | p50 ms | p99 ms | errors | server CPU µs/request "
            "| of the echo | times moto |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for (name, connections), row in self._rows.items():
            lines.append(
                f"| {name} | {connections} | {row.per_second:,.0f} | {row.p50_ms:.2f} "
                f"| {row.p99_ms:.2f} | {row.errors} | {row.cpu_us:.0f} "
                f"| {self._ratio(row, 'echo', connections, '.0%')} "
                f"| {self._ratio(row, 'moto Encrypt', BESIDE, '.1f')} |"
            )
        return lines

    def _ratio(self, row: Figures, other: str, connections: int, form: str) -> str:
        beside = self._rows.get((other, connections))
        if beside is None or beside is row or not beside.per_second:
            return ""
        return format(row.per_second / beside.per_second, form)

    def _judge(self) -> None:
        moto = self._rows.get(("moto Encrypt", BESIDE))
        self._asked = [asked for asked in self._asked if not asked[0].startswith("at ")]
        for (name, connections), row in self._rows.items():
            if name in ("echo", "moto Encrypt"):
                continue
            where = f"at {connections}, {name}"
            if connections == 1:
                self._ask(f"{where}: p50", f"{row.p50_ms:.2f} ms", f"≤ {UNLOADED_P50_MS_MAX:g} ms",
                          row.p50_ms <= UNLOADED_P50_MS_MAX)
            if connections != BESIDE:
                continue
            self._ask(f"{where}: requests/s", f"{row.per_second:,.0f}", f"≥ {PER_SECOND_MIN:,}",
                      row.per_second >= PER_SECOND_MIN)
            self._ask(f"{where}: p99", f"{row.p99_ms:.1f} ms", f"≤ {P99_MS_MAX:g} ms",
                      row.p99_ms <= P99_MS_MAX)
            self._ask(f"{where}: server CPU", f"{row.cpu_us:.0f} µs", f"≤ {CPU_US_MAX:g} µs",
                      row.cpu_us <= CPU_US_MAX)
            if moto is not None:
                times = row.per_second / moto.per_second
                self._ask(f"{where}: times moto", f"{times:.0f}", f"≥ {TIMES_MOTO_MIN:g}",
                          times >= TIMES_MOTO_MIN)

    def _ask(self, what: str, measured: str, limit: str, met: bool) -> None:  # noqa: FBT001
        self._asked.append((what, met, f"{measured} | {limit}"))
