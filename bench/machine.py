"""The machine, named, and what processes have used of it. Linux: everything is read from /proc."""

import os
import platform
import ssl
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.backends.openssl.backend import backend

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def described() -> dict[str, str]:
    """Return what the figures depend on."""
    cpu = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    lines = (line.partition(":") for line in cpu.splitlines())
    said = {name.strip(): value.strip() for name, _, value in lines}
    return {
        "CPU": f"{said['model name']} (family {said['cpu family']}, model {said['model']})",
        "cores": str(os.cpu_count()),
        "Python": platform.python_version(),
        "OpenSSL": f"{backend.openssl_version_text()} (SigV4: {ssl.OPENSSL_VERSION})",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def busy_seconds() -> float:
    """Return what all cores together have worked since the machine started."""
    with Path("/proc/stat").open(encoding="ascii") as stat:
        ticks = [int(field) for field in stat.readline().split()[1:9]]
    idle, waiting_for_disks = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting_for_disks) / _TICKS_PER_SECOND


class Processes:
    """The processes of one server, by name."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self.pids = dict(pids)

    def cpu_seconds(self) -> float:
        """Return what all of them have used, user and system together, all threads."""
        return sum(_ticks(pid) for pid in self.pids.values()) / _TICKS_PER_SECOND

    def memory_mib(self) -> dict[str, float]:
        """Return the resident memory of each; pages they share count for each."""
        return {name: _resident_kib(pid) / 1024 for name, pid in self.pids.items()}


def children_of(pid: int) -> list[int]:
    """Return the processes that a process's first thread has started, and that still are."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _ticks(pid: int) -> int:
    # The command's name may hold spaces; what follows its closing bracket does not.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11], fields[12]
    return int(user) + int(system)


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
