"""A load for a long time at a part of the capacity: no error, no growth of memory, a steady p99.

`python bench/steady.py --minutes 30`. The capacity is measured first, by the same client as fast
as it goes. Then requests come at a fixed rate, whether earlier ones were answered or not, and each
is timed from when it should have been sent. Beside them one client makes and takes back grants,
aliases, tags, policies and sessions: at first as fast as it goes, so that caches with a bound (of
SQLite, of lines that followers read) are full when memory is looked at. Exits with 1 if an error,
a leak or a slower p99 was seen.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median
from typing import NamedTuple

from load import Load
from requests_made import LoadMaker, ask
from servers import Kagimori

MIX = ("Encrypt", "Encrypt", "Decrypt", "GenerateDataKey")
CONNECTIONS = 16
RENEW_SECONDS = 120.0  # a signature holds for five minutes
CHANGES_PER_SECOND = 4.0
WINDOWS = 30
# Of anonymous memory, in the second half: less is the noise of an allocator.
GROWTH_KIB_PER_MINUTE_MAX = 48.0
SLOWER_MAX = 1.5


class Window(NamedTuple):
    """A part of the run: how many requests, the 50th and 99th percentile, and memory in KiB."""

    minutes: float
    requests: int
    p50_ms: float
    p99_ms: float
    memory_kib: dict[str, int]


class Client:
    """Connections to one server, the requests they send, and what came of them."""

    def __init__(self, server: Kagimori) -> None:
        self.maker = LoadMaker(server)
        self._address = server.url.removeprefix("http://").split(":")
        self._requests: list[bytes] = []
        self.latencies: list[float] = []
        self.errors: list[str] = []
        self._sent = 0

    def renew(self) -> None:
        """Sign all requests anew."""
        loads: list[Load] = [self.maker.load(operation) for operation in MIX]
        self._requests = [
            one for them in zip(*(x.requests for x in loads), strict=True) for one in them
        ]

    async def run(self, seconds: float, per_second: float | None) -> float:
        """Send requests for so long, at this rate or as fast as it goes; return the rate."""
        began = time.perf_counter()
        before = self._sent
        slot = count()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._connection(began, seconds, per_second, slot))
        return (self._sent - before) / (time.perf_counter() - began)

    async def _connection(
        self, began: float, seconds: float, per_second: float | None, slot: Iterator[int]
    ) -> None:
        host, port = self._address
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            while True:
                due = time.perf_counter() if per_second is None else began + next(slot) / per_second
                if due >= began + seconds:
                    return
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                self._sent += 1
                writer.write(self._requests[self._sent % len(self._requests)])
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                self.latencies.append(time.perf_counter() - due)
                if not head.startswith(b"HTTP/1.1 200"):
                    self.errors.append(f"{head[:15].decode()} {body[:200].decode()}")
        finally:
            writer.close()
            await writer.wait_closed()


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    return int(lower[start : lower.index(b"\r\n", start)])


class Changes:
    """Changes that are taken back, one after the other, so that nothing of them stays."""

    def __init__(self, client: Client) -> None:
        self._root, self._key = client.maker.root, client.maker.key_id
        self._at = 0

    def once(self) -> None:
        """Make a change and take it back, with a session beside."""
        self._at += 1
        alias = f"alias/steady-{self._at}"
        self._ask("CreateAlias", AliasName=alias, TargetKeyId=self._key)
        self._ask("DeleteAlias", AliasName=alias)
        self._ask(
            "TagResource", KeyId=self._key, Tags=[{"TagKey": "at", "TagValue": str(self._at)}]
        )
        policy = json.loads(self._ask("GetKeyPolicy", KeyId=self._key))["Policy"]
        self._ask("PutKeyPolicy", KeyId=self._key, Policy=policy)
        account = json.loads(policy)["Statement"][0]["Principal"]["AWS"]
        made = self._ask(
            "CreateGrant", KeyId=self._key, GranteePrincipal=account, Operations=["Decrypt"]
        )
        self._ask("RevokeGrant", KeyId=self._key, GrantId=json.loads(made)["GrantId"])
        ask(self._root, self._root.query("sts", "GetSessionToken"))

    def _ask(self, operation: str, **members: object) -> bytes:
        return ask(self._root, self._root.kms(operation, **members))


async def steady(server: Kagimori, *, minutes: float, share: float) -> tuple[list[Window], Client]:
    """Run the load; return what each part of it was like."""
    client = Client(server)
    client.renew()
    changes = Changes(client)
    capacity = await client.run(min(15.0, minutes * 6), None)
    rate = capacity * share
    print(f"capacity {capacity:.0f} requests/s; {rate:.0f} from here on", flush=True)
    warming = asyncio.create_task(_change(changes, minutes * 10, pause=0.0))
    await client.run(minutes * 10, rate)
    await warming
    client.renew()
    windows, renewed, began = [], time.monotonic(), time.monotonic()
    seconds = minutes * 60 / WINDOWS
    for _ in range(WINDOWS):
        client.latencies.clear()
        changing = asyncio.create_task(_change(changes, seconds))
        await client.run(seconds, rate)
        await changing
        if time.monotonic() - renewed > RENEW_SECONDS:
            client.renew()
            renewed = time.monotonic()
        found = sorted(client.latencies)
        window = Window(
            (time.monotonic() - began) / 60,
            len(found),
            1e3 * found[len(found) // 2],
            1e3 * found[len(found) * 99 // 100],
            {name: _anonymous_kib(pid) for name, pid in server.pids().items()},
        )
        windows.append(window)
        memory = ", ".join(f"{name} {kib / 1024:.1f}" for name, kib in window.memory_kib.items())
        print(
            f"{window.minutes:6.2f} min  {window.requests:7d} requests  p50 {window.p50_ms:6.2f} ms"
            f"  p99 {window.p99_ms:7.2f} ms  MiB: {memory}",
            flush=True,
        )
    return windows, client


async def _change(changes: Changes, seconds: float, pause: float = 7 / CHANGES_PER_SECOND) -> None:
    until = time.monotonic() + seconds - 1
    while time.monotonic() < until:
        await asyncio.to_thread(changes.once)
        await asyncio.sleep(pause)


def _anonymous_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def growth_kib_per_minute(windows: list[Window], name: str) -> float:
    """Return the median of all slopes between two windows of the second half."""
    later = windows[len(windows) // 2 :]
    slopes = [
        (two.memory_kib[name] - one.memory_kib[name]) / (two.minutes - one.minutes)
        for number, one in enumerate(later)
        for two in later[number + 1 :]
    ]
    return median(slopes)


def judged(windows: list[Window], client: Client) -> list[str]:
    """Return what was not as it must be."""
    wrong = [f"{len(client.errors)} errors, such as {client.errors[0]}"] if client.errors else []
    for name in windows[0].memory_kib:
        growth = growth_kib_per_minute(windows, name)
        print(f"{name}: {growth:+.1f} KiB a minute in the second half")
        if growth > GROWTH_KIB_PER_MINUTE_MAX:
            wrong.append(f"{name} grows by {growth:.0f} KiB a minute")
    third = len(windows) // 3
    first = median(window.p99_ms for window in windows[:third])
    last = median(window.p99_ms for window in windows[-third:])
    print(f"p99: {first:.2f} ms in the first third, {last:.2f} ms in the last")
    if last > first * SLOWER_MAX:
        wrong.append(f"p99 became {last / first:.1f} times as long")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--share", type=float, default=0.7, help="of the capacity")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="kagimori-steady-") as folder,
        Kagimori(Path(folder) / "data") as server,
    ):
        windows, client = asyncio.run(steady(server, minutes=options.minutes, share=options.share))
        wrong = judged(windows, client)
    print("; ".join(wrong) or "steady")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
