"""Measure changes where there is little, and where there is much: `python bench/growth.py`.

    python bench/growth.py --keys 100000 --grants 1000000 --on-one-key 50000

The store is filled directly. What is measured is the processor time of a worker's own parts in one
process, with its threads and the HSM's module, so that other load on the machine matters little.
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from report import put_between
from walk import ACCOUNT, REGION, Peer, World, body_of

from kagimori.entities.tables import GRANTS, KMS_KEYS, TABLES
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.sql import Statements
from kagimori.machinery.store.sqlite import open_database
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.stored_grant import StoredGrant
from kagimori.rules.policy.defaults import default_key_policy

PAGE = Path(__file__).parent.parent / "docs" / "look-up" / "performance.md"
BEGIN = "<!-- figures of growth: written by `bench/growth.py --write` -->"
END = "<!-- end of those of growth -->"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
WARM, PARALLEL = 50, 16


class Size(NamedTuple):
    keys: int
    grants: int
    on_one_key: int


def seed(path: Path, size: Size, kms_key: KmsKey) -> None:
    """Write keys and grants into a store; so many of the grants are on one key."""
    connection = open_database(path)
    keys, grants = Statements(KMS_KEYS), Statements(GRANTS)
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(size.keys)]
    of = {"account_id": ACCOUNT, "region": REGION, "created_at": 1.0}
    policy = default_key_policy(ACCOUNT, REGION)

    def placed() -> Iterator[str]:
        for number in range(size.grants):
            in_crowd = number < size.on_one_key
            yield kms_key.key_id if in_crowd else ids[number % len(ids)]

    connection.execute("BEGIN")
    connection.executemany(
        keys.insert,
        (keys.row(KmsKey(**of, key_id=key_id, key_policy=policy)) for key_id in ids),
    )
    connection.executemany(
        grants.insert,
        (
            grants.row(
                StoredGrant(
                    **of,
                    key_id=key_id,
                    grant_id=f"{number:064x}",
                    grantee=f"{ALICE}{number % 7}",
                    grantee_shown=ALICE,
                    issuing_account=ACCOUNT,
                    operations=("Encrypt", "Decrypt"),
                )
            )
            for number, key_id in enumerate(placed())
        ),
    )
    connection.execute("DELETE FROM group_sizes WHERE name = 'grants/by_key'")
    connection.execute(
        "INSERT INTO group_sizes (name, held_by, members) SELECT 'grants/by_key', "
        "account_id || '/' || region || '/' || key_id, count(*) FROM grants "
        "GROUP BY account_id, region, key_id"
    )
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


class Asker:
    """Connections to a world, on each of which one request is under way."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._free = [self._connection() for _ in range(PARALLEL)]

    def _connection(self) -> tuple[Any, Peer]:
        peer = Peer()
        connection = self._world._front.connection(asyncio.get_running_loop())  # noqa: SLF001
        connection.connection_made(peer)
        return connection, peer

    async def answer(self, request: bytes) -> bytes:
        connection, peer = self._free.pop()
        peer.answered = asyncio.get_running_loop().create_future()
        connection.data_received(request)
        try:
            return body_of(await peer.answered)
        finally:
            self._free.append((connection, peer))

    async def milliseconds(self, make: Callable[[int], bytes], count: int) -> float:
        """Return the processor time of one request, of so many that come sixteen at a time."""
        for number in range(WARM):
            await self.answer(make(-number - 1))
        requests = iter([make(number) for number in range(count)])

        async def one_after_the_other() -> None:
            for request in requests:
                await self.answer(request)

        before = time.process_time()
        await asyncio.gather(*(one_after_the_other() for _ in range(PARALLEL)))
        return (time.process_time() - before) / count * 1000


async def measured(folder: Path, size: Size, count: int) -> dict[str, float]:
    """Return the milliseconds of each operation, and what start and memory take."""
    world = World(folder)
    await world.populate()
    asker = Asker(world)
    made = json.loads(await asker.answer(world.signer.kms("CreateKey")))["KeyMetadata"]["KeyId"]
    kms_key = await _stored(world, made)
    seed(folder / "kagimori.db", size, kms_key)
    started = time.perf_counter()
    signal = ChangeSignal(folder / "changes", 1)
    tables = tuple(TABLES.values())
    WorkerStore(folder / "kagimori.db", signal, stream="w1", tables=tables).close()
    found = {"store opened, ms": (time.perf_counter() - started) * 1000}
    world.store.view.forget(None)
    kms = world.signer.kms
    others = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(min(size.keys, 10))]
    operations: dict[str, Callable[[int], bytes]] = {
        "Encrypt": lambda _: kms("Encrypt", KeyId=made, Plaintext="c2VjcmV0"),
        "CreateGrant": lambda _: kms(
            "CreateGrant", KeyId=made, GranteePrincipal=ALICE, Operations=["Encrypt"]
        ),
        "CreateKey": lambda _: kms("CreateKey"),
        "TagResource": lambda n: kms(
            "TagResource", KeyId=made, Tags=[{"TagKey": "k", "TagValue": str(n)}]
        ),
        "DescribeKey": lambda n: kms("DescribeKey", KeyId=others[n % len(others)]),
        "ListGrants": lambda _: kms("ListGrants", KeyId=made, Limit=10),
    }
    for name, make in operations.items():
        found[name] = await asker.milliseconds(make, count)
    for number in range(size.keys):
        key_id = f"{number:08x}-0000-4000-8000-000000000000"
        await asker.answer(kms("DescribeKey", KeyId=key_id))
    found["Encrypt, all in memory"] = await asker.milliseconds(operations["Encrypt"], count)
    found["memory, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    await world.close()
    return found


async def _stored(world: World, key_id: str) -> KmsKey:
    view, key = world.store.view, (ACCOUNT, REGION, key_id)
    found: KmsKey = view.one(TABLES["kms_keys"], key)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--grants", type=int, default=1_000_000)
    parser.add_argument("--on-one-key", type=int, default=49_000)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args()
    large = Size(options.keys, options.grants, options.on_one_key)
    tables = []
    for size in (Size(10, 10, 1), large):
        with tempfile.TemporaryDirectory(prefix="growth-") as folder:
            tables.append(asyncio.run(measured(Path(folder), size, options.count)))
    text = "\n".join(_table(*tables, large))
    print(text)
    if options.write:
        put_between(PAGE, BEGIN, END, text)


def _table(few: dict[str, float], many: dict[str, float], large: Size) -> Iterator[str]:
    yield (
        f"| | 10 keys, 10 grants | {large.keys:,} keys, {large.grants:,} grants, "
        f"{large.on_one_key:,} on one key | ratio |"
    )
    yield "|---|---:|---:|---:|"
    for name, value in few.items():
        yield f"| {name} | {value:.2f} | {many[name]:.2f} | {many[name] / value:.2f} |"


if __name__ == "__main__":
    main()
