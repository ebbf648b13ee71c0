"""What Kagimori does in a second, beside its own floor and beside moto. `make bench` runs this.

Needs `wrk` (Debian: `apt install wrk`), which shares the machine with what it measures. Prints a
table and writes it into docs/look-up/performance.md, between the markers there.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import audit
import authorization
import hsm
import key_in_token
import stores
import workers
from bare import bare_microseconds
from beside import Beside, KeysImported, KeysMade
from key_uses import USES, KeyUseLoads, bare_microseconds_of
from load import Load
from machine import described
from measure import measure
from report import BESIDE, LOCAL_KMS, MOTO, Figures, Report, median
from requests_made import LoadMaker
from servers import Echo, Kagimori, LocalKms, Moto, Server
from start import seconds_to_ready

import backups

PAGE = Path(__file__).parent.parent / "docs" / "look-up" / "performance.md"
OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey")
CONNECTIONS = (1, 16, 64, 256)
BESIDE_OTHERS = (1, 16, 64)


def main() -> None:
    options = _options()
    if shutil.which("wrk") is None:
        sys.exit("bench needs wrk, which is not installed (Debian, Ubuntu: apt install wrk)")
    connections = (1, BESIDE) if options.quick else CONNECTIONS
    rounds = 1 if options.quick else options.rounds
    seconds = 2 if options.quick else options.seconds
    report = Report(described(), rounds=rounds, seconds=seconds)
    report.bare(*bare_microseconds())
    with tempfile.TemporaryDirectory(prefix="kagimori-bench-") as folder:
        report.start(seconds_to_ready(Path(folder), rounds))
        page = None if options.print_only else PAGE
        hsm.write(Path(folder), rounds=rounds, seconds=seconds, page=page)
        token_folder = Path(folder) / "token"
        token_folder.mkdir()
        key_in_token.write(token_folder, seconds=seconds, page=page)
        stores_folder = Path(folder) / "stores"
        stores_folder.mkdir()
        stores.write(stores_folder, rounds=rounds, seconds=seconds, page=page)
        backups_folder = Path(folder) / "backups"
        backups_folder.mkdir()
        backups.write(backups_folder, rounds=rounds, page=page)
        workers_folder = Path(folder) / "workers"
        workers_folder.mkdir()
        workers.write(workers_folder, rounds=rounds, seconds=seconds, page=page)
        with ExitStack() as servers:
            echo = servers.enter_context(Echo())
            kagimori = servers.enter_context(Kagimori(Path(folder) / "served"))
            moto = servers.enter_context(Moto())
            jobs = _jobs(report, echo, kagimori, moto, connections)
            if LocalKms.is_possible():
                jobs += _of_local_kms(servers.enter_context(LocalKms(Path(folder) / "local-kms")))
            else:
                report.say("local-kms was not measured beside: Go is not installed.")
            report.idle(kagimori.processes().memory_mib())
            _measure(report, jobs, rounds=rounds, seconds=seconds)
            _measure_key_uses(report, kagimori, rounds=rounds, seconds=seconds)
            _measure_beside(report, kagimori, rounds=rounds, seconds=seconds)
            report.after(kagimori.processes().memory_mib())
        report.judge(authorization.rows())
        records = 100_000 if options.quick else options.audit_records
        of_audit = audit.rows(Path(folder), records=records, rounds=rounds, seconds=seconds)
    report.judge(of_audit.asked)
    for line in of_audit.lines:
        report.say(line)
    print(report.text())
    if not options.print_only:
        report.write(PAGE)
    if report.has_errors:
        sys.exit("some requests were refused: the figures do not count")


class Job(NamedTuple):
    """One row: a load, made anew for each round, against a server."""

    name: str
    connections: int
    server: Server
    make_load: Callable[[], Load]


def _jobs(
    report: Report, echo: Echo, kagimori: Kagimori, moto: Moto, connections: tuple[int, ...]
) -> list[Job]:
    here, there = LoadMaker(kagimori), LoadMaker(moto)
    report.say(f"The caller is {here.caller}; each request has a context of one pair.")
    jobs = [Job("echo", count, echo, partial(here.load, "Encrypt")) for count in connections]
    for count in connections:
        jobs += [Job(name, count, kagimori, partial(here.load, name)) for name in OPERATIONS]
    return [*jobs, Job(MOTO, BESIDE, moto, partial(there.load, "Encrypt"))]


def _of_local_kms(server: Server) -> list[Job]:
    maker = LoadMaker(server)
    return [
        Job(f"{LOCAL_KMS} {name}", BESIDE, server, partial(maker.load, name)) for name in OPERATIONS
    ]


def _measure(report: Report, jobs: list[Job], *, rounds: int, seconds: int) -> None:
    """Run everything once a round, so that what else the machine does falls on all alike."""
    found: dict[tuple[str, int], list[Figures]] = {}
    for number in range(rounds):
        for job in jobs:
            where = f"{job.name}, {job.connections}"
            print(f"round {number + 1} of {rounds}: {where}", file=sys.stderr)
            figures = measure(job.server, job.make_load(), job.connections, seconds)
            found.setdefault((job.name, job.connections), []).append(figures)
    for (name, connections), all_rounds in found.items():
        report.row(name, connections, median(all_rounds))


def _measure_key_uses(report: Report, server: Server, *, rounds: int, seconds: int) -> None:
    loads = KeyUseLoads(server)
    for use in USES:
        print(f"{use.name}, {BESIDE}", file=sys.stderr)
        found = [measure(server, loads.load(use), BESIDE, seconds) for _ in range(rounds)]
        report.key_use(use.name, median(found), bare_microseconds_of(use))


def _measure_beside(report: Report, server: Server, *, rounds: int, seconds: int) -> None:
    """Measure Encrypt alone and beside others, in turn, so that all see the same machine."""
    maker = LoadMaker(server)

    def encrypt() -> Figures:
        return measure(server, maker.load("Encrypt"), connections, seconds)

    for connections in BESIDE_OTHERS:
        print(f"Encrypt beside others, {connections}", file=sys.stderr)
        alone: list[Figures] = []
        beside: dict[type[Beside], list[Figures]] = {KeysMade: [], KeysImported: []}
        for _ in range(rounds):
            alone.append(encrypt())
            for kind, found in beside.items():
                with kind(server) as other:
                    found.append(encrypt())
                report.did(other.what, other.done)
        report.alone(connections, median(alone))
        for kind, found in beside.items():
            report.beside(connections, kind.what, median(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, fewer rows")
    parser.add_argument("--rounds", type=int, default=3, help="the median of them is shown")
    parser.add_argument("--seconds", type=int, default=5, help="of each run")
    parser.add_argument(
        "--audit-records", type=int, default=1_000_000, help="to look up among; 1.1 GB a million"
    )
    parser.add_argument("--print-only", action="store_true", help="leave the page as it is")
    return parser.parse_args()


if __name__ == "__main__":
    main()
