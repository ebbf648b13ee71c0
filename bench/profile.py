"""Where a request's CPU goes: by process and thread, and by stage of the path within a process.

    python bench/profile.py                        Encrypt, 64 connections, 5 seconds
    python bench/profile.py Decrypt --seconds 10
    python bench/profile.py --write                into docs/look-up/performance.md

Needs `wrk`. Two servers are measured, one after the other: one as it is, whose processes and
threads the kernel counts, and one whose processes sample where they are (`profile_samples`), by
which the time of the first is divided. Compiled code has no frames: it counts for its caller.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from load import run_load
from machine import described
from report import put_between
from requests_made import LoadMaker
from servers import Kagimori

PAGE = Path(__file__).parent.parent / "docs" / "look-up" / "performance.md"
BEGIN = "<!-- profile: written by `bench/profile.py --write` -->"
END = "<!-- end of the profile -->"
SAMPLING = Path(__file__).with_name("profile_samples")
LEAST_US = 0.5  # smaller parts are left out
_TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
_SLOT = 8

# Which files are which stage: the first line that a path (below src/) begins with.
STAGES = """
kagimori/http\thttp: bytes to one whole request, and back
kagimori/server/doors\thttp: bytes to one whole request, and back
kagimori/front\tfront: decode and encode
kagimori/rules/sigv4\twho: the signature
kagimori/gate/who\twho: the signature
kagimori/gate/signing\twho: the signature
kagimori/gate/callers\twho: the signature
kagimori/gate/quota\tquotas
kagimori/rules/quotas\tquotas
kagimori/gate\tdecide: look up and authorize
kagimori/rules/authorization\tdecide: look up and authorize
kagimori/rules/policy\tdecide: look up and authorize
kagimori/rules/records\trecord: made
kagimori/rules/chain\trecord: chained and synced
kagimori/trail/journal\trecord: chained and synced
kagimori/trail/keeper\trecord: chained and synced
kagimori/trail/archive\trecord: chained and synced
kagimori/trail/mark\trecord: chained and synced
kagimori/trail/index\tindex
kagimori/trail/digest\tdigests
kagimori/trail\tread the journals
kagimori/hsm\tHSM: ask and be answered
kagimori_boundary\tHSM: frames
kagimori/machinery/store\tstore
kagimori/machinery/telemetry\ttelemetry
kagimori/operations\tdecide: look up and authorize
kagimori/rules\tdecide: look up and authorize
kagimori/path\tpath
kagimori/pending\tpath
kagimori/ports\tpath
kagimori_hsm/door\tHSM: frames
kagimori_hsm/module\tHSM: commands
kagimori_hsm/commands\tHSM: commands
kagimori_hsm/engines\tHSM: commands
kagimori_hsm/algorithms\tHSM: cryptography
kagimori_hsm/ciphertext\tHSM: cryptography
kagimori_hsm/encryption_context\tHSM: cryptography
kagimori_hsm/process\tthe event loop, and its sockets
kagimori/server\tthe event loop, and its sockets
kagimori\tother
""".strip().splitlines()
OTHER, WAITING = "other", "waits"


class Used(NamedTuple):
    """What a thread has used for one request: microseconds, and switches to another thread."""

    user_us: float
    system_us: float
    switches: float

    @property
    def us(self) -> float:
        return self.user_us + self.system_us


def main() -> None:
    options = _options()
    if shutil.which("wrk") is None:
        sys.exit("this needs wrk, which is not installed (Debian, Ubuntu: apt install wrk)")
    text = "\n".join(_profile(options))
    print(text)
    if options.write:
        put_between(PAGE, BEGIN, END, text)


def _profile(options: argparse.Namespace) -> Iterator[str]:
    machine = "; ".join(f"{name}: {value}" for name, value in described().items())
    yield f"{options.operation}, {options.connections} connections, {options.seconds} s. {machine}."
    with tempfile.TemporaryDirectory(prefix="kagimori-profile-") as folder:
        threads, rate = _threads(Path(folder) / "plain", options)
        stages = _stages(Path(folder), options)
    total = sum(used.us for used in threads.values())
    yield f"{rate:,.0f} requests a second, {total:.0f} µs of CPU each in all processes."
    yield "\n| process | thread | user µs | system µs | switches | of all |"
    yield "|---|---|---:|---:|---:|---:|"
    for (process, thread), used in sorted(threads.items(), key=lambda one: -one[1].us):
        if used.us >= LEAST_US:
            yield (
                f"| {process} | {thread} | {used.user_us:.1f} | {used.system_us:.1f} "
                f"| {used.switches:.2f} | {used.us / total:.0%} |"
            )
    yield "\n| process | stage | µs | of all |"
    yield "|---|---|---:|---:|"
    for process, samples in stages.items():
        us = sum(used.us for (name, _), used in threads.items() if name == process)
        for stage, count in samples.most_common():
            part = us * count / samples.total()
            if part >= LEAST_US:
                yield f"| {process} | {stage} | {part:.1f} | {part / total:.0%} |"


def _threads(data: Path, options: argparse.Namespace) -> tuple[dict[tuple[str, str], Used], float]:
    """Return what each thread of each process used for a request, and requests a second."""
    with Kagimori(data) as server:
        maker, pids = LoadMaker(server), server.processes().pids
        _load(server, maker, options, seconds=1)
        before = _counted(pids)
        requests = _load(server, maker, options, seconds=options.seconds)
        found: dict[tuple[str, str], Used] = {}
        for name, counts in _counted(pids).items():
            earlier = before.get(name, (0, 0, 0))
            user, system, switches = (
                (now - then) / requests for now, then in zip(counts, earlier, strict=True)
            )
            found[name] = Used(user * _TICK_US, system * _TICK_US, switches)
        return found, requests / options.seconds


def _stages(folder: Path, options: argparse.Namespace) -> dict[str, Counter[str]]:
    """Return the samples of each process by stage."""
    sampling = folder / "samples"
    shutil.copytree(SAMPLING, sampling)
    (sampling / "places").write_text("\n".join(STAGES))
    with _on_python_path(sampling):
        server = Kagimori(folder / "sampled")
    with server:
        maker, pids = LoadMaker(server), server.processes().pids
        _load(server, maker, options, seconds=1)
        before = {name: _samples(sampling, pid) for name, pid in pids.items()}
        _load(server, maker, options, seconds=options.seconds)
        after = {name: _samples(sampling, pid) for name, pid in pids.items()}
    found = {name: after[name] - before[name] for name in pids}
    return {name: samples for name, samples in found.items() if samples}


def _load(server: Kagimori, maker: LoadMaker, options: argparse.Namespace, seconds: int) -> int:
    load, connections = maker.load(options.operation), options.connections
    return run_load(server.url, load, connections=connections, seconds=seconds).requests


def _counted(pids: dict[str, int]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Return user ticks, system ticks and switches of each thread; the first one is `main`."""
    found = {}
    for process, pid in pids.items():
        for number, task in enumerate(sorted(Path(f"/proc/{pid}/task").iterdir(), key=_number)):
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            status = (task / "status").read_text()
            switches = [line.split()[1] for line in status.splitlines() if "ctxt_switches" in line]
            name = "main" if number == 0 else f"thread {number}"
            found[process, name] = (int(fields[11]), int(fields[12]), sum(map(int, switches)))
    return found


def _number(task: Path) -> int:
    return int(task.name)


def _samples(folder: Path, pid: int) -> Counter[str]:
    """Return the samples that a process has taken, by stage; none of one that takes none."""
    file = folder / f"{pid}.counts"
    if not file.exists():
        return Counter()
    names = [*(line.split("\t")[1] for line in STAGES), OTHER, WAITING]
    found: Counter[str] = Counter()
    with memoryview(file.read_bytes()).cast("Q") as counts:
        for name, count in zip(names, counts, strict=True):
            found[name] += count
    del found[WAITING]
    return found


@contextmanager
def _on_python_path(folder: Path) -> Iterator[None]:
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), before)))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Profile one operation, by process and stage.")
    parser.add_argument("operation", nargs="?", default="Encrypt")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put it into the documentation")
    return parser.parse_args()


if __name__ == "__main__":
    main()
