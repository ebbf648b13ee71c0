"""How long the HSM takes from its start until keys can be used, self-tests included.

.venv/bin/python bench/hsm_start.py
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

from kagimori.hsm.process import HsmProcess
from kagimori_boundary.commands import CreateDomains, DescribeModule

TIMES = 10


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kb-") as name:
        folder = Path(name)
        (folder / "seal.key").write_text(os.urandom(32).hex())
        first = HsmProcess(folder / "hsm.sock", folder / "seal.key")
        sealed = first.ask(CreateDomains(["identity", "us-east-1"])).sealed_domains
        first.end()
        taken, tests, busy = [], [], []
        for _ in range(TIMES):
            began = time.perf_counter()
            hsm = HsmProcess(folder / "hsm.sock", folder / "seal.key")
            hsm.unseal(sealed)
            taken.append(time.perf_counter() - began)
            tests.append(hsm.ask(DescribeModule()).test_seconds)
            busy.append(processor_seconds(hsm.process.pid))
            hsm.end()
    print(f"processor time until then: median {statistics.median(busy):.3f} s")
    print(f"start to operational: median {statistics.median(taken):.3f} s, most {max(taken):.3f} s")
    print(f"of it the self-tests: median {statistics.median(tests):.3f} s")


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
