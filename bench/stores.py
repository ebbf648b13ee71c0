"""What a store costs: changes a second, and the hot path, with SQLite and with PostgreSQL.

.venv/bin/python bench/stores.py

Both servers run beside each other and are measured in turn, so that both see the same machine.
PostgreSQL is Debian's, on a socket in a temporary folder, and syncs what it says it has.
"""

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from load import Load
from machine import described
from measure import measure_in_turn
from report import Figures, put_between
from requests_made import LoadMaker, ask
from servers import Kagimori

PAGE = Path(__file__).parents[1] / "docs/look-up/performance.md"
BEGIN = "<!-- figures of the stores: written by `make bench` -->"
END = "<!-- end of those of the stores -->"
FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
OPERATIONS = ("Encrypt", "CreateKey", "CreateGrant", "CreateAlias")
CONNECTIONS = (1, 64)
REQUESTS, ALIASES_OF_A_KEY = 6_000, 50
NO_QUOTAS = ("--quotas", "off")


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of a new PostgreSQL, as its user if we are root, whom it refuses."""
    folder = Path(tempfile.mkdtemp(prefix="kagimori-pg-", dir="/tmp"))
    how: dict[str, object] = {"cwd": "/"}
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        how |= {"user": user.pw_uid, "group": user.pw_gid}
    initdb = [FOLDERS[0] / "initdb", "-D", folder / "data", "-U", "owner", "-A", "trust"]
    subprocess.run(initdb, check=True, capture_output=True, **how)
    words = [FOLDERS[0] / "postgres", "-D", folder / "data", "-k", folder]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*words, "-c", "listen_addresses="], **quiet, **how) as process:
        try:
            ready = [FOLDERS[0] / "pg_isready", "-q", "-h", folder]
            while subprocess.run(ready).returncode != 0:
                time.sleep(0.1)
            yield f"postgresql://owner@/postgres?host={folder}"
        finally:
            process.terminate()
            process.wait(30)
            shutil.rmtree(folder, ignore_errors=True)


class Changes:
    """Makes loads of changes, each request of which changes something else."""

    def __init__(self, server: Kagimori) -> None:
        self._signer, self._uses = server.signer(), LoadMaker(server)
        self._keys = [self._key() for _ in range(REQUESTS // ALIASES_OF_A_KEY)]
        self._rounds = 0
        self._account = server.account_id

    def load(self, operation: str) -> Load:
        if operation == "Encrypt":
            return self._uses.load(operation)
        self._rounds += 1
        return Load([self._request(operation, number) for number in range(REQUESTS)])

    def _request(self, operation: str, number: int) -> bytes:
        kms, key_id = self._signer.kms, self._keys[number // ALIASES_OF_A_KEY]
        if operation == "CreateKey":
            return kms("CreateKey")
        if operation == "CreateAlias":
            if number % ALIASES_OF_A_KEY == 0:  # each round has keys of its own
                self._keys[number // ALIASES_OF_A_KEY] = key_id = self._key()
            name = f"alias/bench-{self._rounds}-{number}"
            return kms("CreateAlias", AliasName=name, TargetKeyId=key_id)
        principal = f"arn:aws:iam::{self._account}:root"
        return kms("CreateGrant", KeyId=key_id, GranteePrincipal=principal, Operations=["Encrypt"])

    def _key(self) -> str:
        made = json.loads(ask(self._signer, self._signer.kms("CreateKey")))
        return str(made["KeyMetadata"]["KeyId"])


def write(folder: Path, *, rounds: int, seconds: int, page: Path | None) -> None:
    """Measure, print, and write the table into the page, if one is given."""
    if not FOLDERS:
        print("The stores were not measured beside: PostgreSQL is not installed.")
        return
    with (
        postgres() as url,
        Kagimori(folder / "sqlite", options=NO_QUOTAS) as in_file,
        Kagimori(folder / "postgres", ("--store", url), NO_QUOTAS) as in_server,
    ):
        servers = {
            "SQLite": (in_file, Changes(in_file).load),
            "PostgreSQL": (in_server, Changes(in_server).load),
        }
        found = measure_in_turn(
            servers, OPERATIONS, CONNECTIONS, rounds=rounds, seconds=seconds, once=("CreateAlias",)
        )
    text = _table(found)
    print(text)
    if page is not None:
        put_between(page, BEGIN, END, text)


def _table(found: dict[tuple[str, int, str], Figures]) -> str:
    machine = ", ".join(f"{name}: {value}" for name, value in described().items())
    busy = max(one.others_cores for one in found.values())
    lines = [
        f"{machine}.",
        f"Up to {busy:.1f} cores were busy with others' work. Server CPU is Kagimori's alone.",
        "",
        "| operation | connections | SQLite, a second | PostgreSQL, a second | server CPU each |",
        "|---|---|---|---|---|",
    ]
    for operation in OPERATIONS:
        for connections in CONNECTIONS:
            file = found[operation, connections, "SQLite"]
            server = found[operation, connections, "PostgreSQL"]
            wrong = file.errors + server.errors
            lines.append(
                f"| {operation} | {connections} | {file.per_second:,.0f} | "
                f"{server.per_second:,.0f} | {file.cpu_us:,.0f} and {server.cpu_us:,.0f} µs"
                f"{f', {wrong} refused' if wrong else ''} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kagimori-bench-") as place:
        write(Path(place), rounds=1, seconds=2, page=None)
