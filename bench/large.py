"""Compare a server with 100,000 keys and 1,000,000 grants with one that has ten of each.

`python bench/large.py [--store postgres] [--write]`

The rows are written directly, with their marks, while the server is stopped. Then both servers
run, and are measured in turn, so that both see the same machine; the ratio is what counts. They
sweep their stores meanwhile, as servers do.
"""

import argparse
import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filled import KEYS_OF_ACCOUNT, Size, fill, key_id_of
from load import Load
from measure import measure
from report import Figures, median, put_between
from requests_made import ask
from servers import REGION, Kagimori
from stores import FOLDERS, NO_QUOTAS, postgres

from kagimori.deployment.opened import Opened, opened, with_hsm
from kagimori.entities.tables import KMS_KEYS
from kagimori.hsm.process import HsmRefused

PAGE = Path(__file__).parents[1] / "docs/look-up/performance.md"
STORES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
FEW = Size(10, 10, 1)
HSM_ATTEMPTS = 5
OPERATIONS = ("Encrypt", "CreateGrant", "CreateKey")
CONNECTIONS, REQUESTS, STARTS, SECONDS = 16, 500, 5, 3
READY_SECONDS_MAX, WORKER_MIB_MAX, GROWTH_MAX, HOT_GROWTH_MAX = 2.0, 1024, 1.2, 1.15


def between(store: str) -> tuple[str, str]:
    """Return the lines of the page between which a store's figures stand."""
    begin = f"<!-- figures of much in {STORES[store]}: written by `bench/large.py --write` -->"
    return begin, f"<!-- end of much in {STORES[store]} -->"


class Filled:
    """A deployment that was filled, its server, and loads for it."""

    def __init__(self, folder: Path, size: Size, init_options: tuple[str, ...]) -> None:
        self._data, self._size = folder, size
        with Kagimori(folder, init_options, NO_QUOTAS) as server:
            signer = server.signer()
            made = json.loads(ask(signer, signer.kms("CreateKey")))["KeyMetadata"]
            self.key_id = str(made["KeyId"])
            self._deployment, self.account = server.made, server.account_id
        with opened(folder) as deployment:
            _with_key(deployment)
            crowded = deployment.store.one(KMS_KEYS, (self.account, REGION, self.key_id))
            fill(deployment.store._database, crowded, size)  # type: ignore[arg-type] # noqa: SLF001

    def start(self) -> Kagimori:
        return Kagimori(self._data, (), NO_QUOTAS, made=self._deployment)

    def load(self, server: Kagimori, operation: str) -> Load:
        signer = server.signer()
        who = f"arn:aws:iam::{self.account}:root"
        make: dict[str, Callable[[int], bytes]] = {
            "Encrypt": lambda _: signer.kms("Encrypt", KeyId=self.key_id, Plaintext="c2VjcmV0"),
            "CreateGrant": lambda _: signer.kms(
                "CreateGrant", KeyId=self.key_id, GranteePrincipal=who, Operations=["Encrypt"]
            ),
            "CreateKey": lambda _: signer.kms("CreateKey"),
        }
        return Load([make[operation](number) for number in range(REQUESTS)])

    async def describe_all(self, server: Kagimori) -> None:
        """Ask for every key of the account once, so that all of them are in memory."""
        signer = server.signer()
        host, port = server.url.removeprefix("http://").split(":")
        numbers = iter(range(min(self._size.keys, KEYS_OF_ACCOUNT)))

        async def one_after_the_other() -> None:
            reader, writer = await asyncio.open_connection(host, int(port))
            for number in numbers:
                writer.write(signer.kms("DescribeKey", KeyId=key_id_of(number)))
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r")[0])
                await reader.readexactly(length)
                if not head.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(head.decode())
            writer.close()

        await asyncio.gather(*(one_after_the_other() for _ in range(CONNECTIONS)))


def _with_key(deployment: Opened) -> None:
    """Arm a store with its key, of which the HSM may be slow to say it on a busy machine."""
    for attempt in range(HSM_ATTEMPTS):
        try:
            with_hsm(deployment, lambda _: None)
        except HsmRefused:
            if attempt == HSM_ATTEMPTS - 1:
                raise
        else:
            return


def figures(folder: Path, store: str, large: Size, rounds: int) -> dict[str, tuple[float, float]]:
    """Return each figure with few and with many."""
    with contextlib.ExitStack() as stack:
        both = []
        for size in (FEW, large):
            init: tuple[str, ...] = ()
            if store == "postgres":
                init = ("--store", stack.enter_context(postgres()))
            both.append(Filled(folder / f"{store}-{size.keys}", size, init))
            print(f"{STORES[store]}: filled with {size}", flush=True)
        found: dict[str, tuple[float, float]] = {}
        starts: list[list[float]] = [[], []]
        for _ in range(STARTS):
            for one, seconds in zip(both, starts, strict=True):
                with one.start() as server:
                    seconds.append(server.seconds_to_ready)
        found["start to ready, the best of a few, s"] = tuple(map(min, starts))  # type: ignore[assignment]
        servers = [stack.enter_context(one.start()) for one in both]
        pair = list(zip(both, servers, strict=True))

        def memory() -> tuple[float, float]:
            few, many = (server.processes().memory_mib()["w0"] for server in servers)
            return few, many

        found["worker's memory at start, MiB"] = memory()
        found |= _measured(pair, rounds)
        for one, server in pair:
            asyncio.run(one.describe_all(server))
        found["worker's memory, all keys in it, MiB"] = memory()
        for name, at in _measured(pair, rounds, ("Encrypt",)).items():
            found[f"{name}, all keys in memory"] = at
        return found


def _measured(
    pair: list[tuple[Filled, Kagimori]], rounds: int, operations: tuple[str, ...] = OPERATIONS
) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for operation in operations:
        runs: list[list[Figures]] = [[], []]
        for _ in range(rounds):
            for at, (one, server) in enumerate(pair):
                load = one.load(server, operation)
                runs[at].append(measure(server, load, CONNECTIONS, SECONDS))
        few, many = (median(of_one) for of_one in runs)
        if few.errors + many.errors:
            raise SystemExit(f"{operation}: {few.errors} and {many.errors} errors")
        found[f"{operation}, server CPU µs"] = few.cpu_us, many.cpu_us
    return found


def table(found: dict[str, tuple[float, float]], store: str, large: Size) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        f"| {STORES[store]} | 10 keys, 10 grants | {large.keys:,} keys, {large.grants:,} grants, "
        f"{large.on_one_key:,} on one key | ratio | asked | |"
    )
    yield "|---|---:|---:|---:|---|---|"
    for name, (few, many) in found.items():
        ratio = many / few
        if name.startswith("start"):
            asked, met = f"≤ {READY_SECONDS_MAX:.0f} s", many <= READY_SECONDS_MAX
        elif "memory," in name and "CPU" not in name:
            asked, met = "≤ 1 GiB", many <= WORKER_MIB_MAX
        elif name.startswith("Encrypt"):
            asked, met = "≤ 1.15 times", ratio <= HOT_GROWTH_MAX
        elif name.startswith("Create"):
            asked, met = "≤ 1.2 times", ratio <= GROWTH_MAX
        else:
            asked, met = "", True
        verdict = ("met" if met else "**missed**") if asked else ""
        yield f"| {name} | {few:,.2f} | {many:,.2f} | {ratio:.2f} | {asked} | {verdict} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", choices=STORES, default="sqlite")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--grants", type=int, default=1_000_000)
    parser.add_argument("--on-one-key", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args()
    if options.store == "postgres" and not FOLDERS:
        raise SystemExit("PostgreSQL is not installed")
    large = Size(options.keys, options.grants, options.on_one_key)
    with tempfile.TemporaryDirectory(prefix="kagimori-large-") as folder:
        found = figures(Path(folder), options.store, large, options.rounds)
    text = "\n".join(table(found, options.store, large))
    print(text)
    if options.write:
        put_between(PAGE, *between(options.store), text)


if __name__ == "__main__":
    main()
