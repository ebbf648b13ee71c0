"""The HSM alone: commands a second through its socket, beside the same work in one process.

A client writes a batch of Encrypt commands at once, reads as many answers, and begins again. It
does nothing else with them, so that the HSM and the socket are measured. `of bare` is the rate as
a part of what one core does of the same work called as a function.
"""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
from bare import best_microseconds
from machine import Processes, busy_seconds, described
from report import Asked, put_between

from kagimori.hsm.process import HsmProcess
from kagimori.hsm.user import HsmUser
from kagimori_boundary.commands import (
    IDENTITY_DOMAIN,
    BoundToken,
    CreateDomains,
    Encrypt,
    GenerateKey,
)
from kagimori_boundary.frames import frame_of
from kagimori_boundary.replies import Bytes, NewKey, SealedDomains
from kagimori_hsm import ciphertext
from kagimori_hsm.engines.software import BackingKey

BATCHES = (1, 16, 64)
ACCOUNT, REGION, KEY_ID = "111122223333", "us-east-1", "12345678-90ab-4def-8234-567890abcdef"
KIND = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
PLAINTEXT, CONTEXT = bytes(32), {"tenant": "blue"}
START_SECONDS, START_ROUNDS = 1.0, 5
BEGIN, END = "<!-- figures of the HSM: written by `make bench` -->", "<!-- end of these -->"
PAGE = Path(__file__).parent.parent / "docs" / "look-up" / "performance.md"


class Rate(NamedTuple):
    """Commands a second, and what the HSM's process used for one, in microseconds of CPU."""

    per_second: float
    cpu_us: float


class Running(NamedTuple):
    """An HSM that is operational, and a key in it."""

    hsm: HsmProcess
    socket_path: Path
    seconds_to_operational: float
    sealed_domains: bytes

    def command(self) -> Encrypt:
        """Return an Encrypt with a key that this HSM has made."""
        user = HsmUser(self.socket_path)
        made = user.perform(GenerateKey(ACCOUNT, REGION, KEY_ID, *KIND))
        user.close()
        if not isinstance(made, NewKey):
            raise SystemExit("the HSM made no key")
        bound = BoundToken(ACCOUNT, REGION, KEY_ID, *KIND, made.material_id, made.key_token)
        return Encrypt(msgspec.msgpack.encode(bound), KIND[0], PLAINTEXT, CONTEXT)


@contextmanager
def by_file(folder: Path, sealed_domains: bytes = b"") -> Iterator[Running]:
    """Yield an HSM whose root is a file, from its start to operational, self-tests included."""
    seal_key = folder / "seal.key"
    if not seal_key.exists():
        seal_key.write_text(os.urandom(32).hex())
    began = time.perf_counter()
    hsm = HsmProcess(folder / "hsm.sock", seal_key)
    try:
        if sealed_domains:
            hsm.unseal(sealed_domains)
        else:
            made = hsm.ask(CreateDomains([IDENTITY_DOMAIN, REGION]))
            assert isinstance(made, SealedDomains)
            sealed_domains = made.sealed_domains
        seconds = time.perf_counter() - began
        yield Running(hsm, folder / "hsm.sock", seconds, sealed_domains)
    finally:
        hsm.end()


def rate(running: Running, command: Encrypt, batch: int, seconds: float) -> Rate:
    """Measure batches of one command on one connection; a tenth of the time before, unmeasured."""
    frames = b"".join(frame_of(number, command) for number in range(batch))
    process = Processes({"hsm": running.hsm.process.pid})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(running.socket_path))
        answer_bytes = _answer_bytes(connection, command)
        _repeat(connection, frames, batch * answer_bytes, seconds / 10)
        cpu_before, began = process.cpu_seconds(), time.perf_counter()
        times = _repeat(connection, frames, batch * answer_bytes, seconds)
        took, cpu = time.perf_counter() - began, process.cpu_seconds() - cpu_before
    return Rate(times * batch / took, cpu * 1e6 / (times * batch))


def bare_microseconds() -> float:
    """Return what the same Encrypt takes as a function in one process: the ciphertext, whole."""
    bound = BoundToken(ACCOUNT, REGION, KEY_ID, *KIND, bytes(32), b"")
    key = BackingKey(bound, os.urandom(32))
    return best_microseconds(lambda: ciphertext.seal(key, PLAINTEXT, CONTEXT))


def measured(folder: Path, *, rounds: int, seconds: float) -> str:
    """Measure everything here; return it in Markdown."""
    busy, began = busy_seconds(), time.perf_counter()
    bare_us = bare_microseconds()
    starts: list[float] = []
    with by_file(folder) as running:
        command, sealed_domains = running.command(), running.sealed_domains
        starts.append(running.seconds_to_operational)
        found = {
            batch: [rate(running, command, batch, seconds) for _ in range(rounds)]
            for batch in BATCHES
        }
    for _ in range(START_ROUNDS):
        with by_file(folder, sealed_domains) as running:
            starts.append(running.seconds_to_operational)
    cores = (busy_seconds() - busy) / (time.perf_counter() - began)
    machine = "; ".join(f"{name}: {value}" for name, value in described().items())
    day = datetime.now(UTC).date().isoformat()
    what = "HSM: start to operational, self-tests included"
    start = Asked.at_most(what, median(starts), START_SECONDS, " s")
    verdict = "met" if start.met else "**missed**"
    lines = (
        f"Measured on {day}, median of {rounds}, {seconds:g} s each. {machine}.",
        f"{cores:.1f} cores were busy meanwhile, with this and with others' work.",
        "",
        *_table(found, bare_us),
        "",
        "| asked | measured | limit | |",
        "|---|---|---|---|",
        f"| {start.what} | {start.measured} | {start.limit} | {verdict} |",
    )
    return "\n".join(lines)


def write(folder: Path, *, rounds: int, seconds: float, page: Path | None = PAGE) -> None:
    """Measure, print, and put it into a page."""
    print("the HSM alone", file=sys.stderr)
    text = measured(folder, rounds=rounds, seconds=seconds)
    print(text)
    if page is not None:
        put_between(page, BEGIN, END, text)


def _table(found: Mapping[int, Sequence[Rate]], bare_us: float) -> Iterator[str]:
    yield "| Encrypt, batches of | commands/s | HSM CPU µs | bare µs | of bare |"
    yield "|---:|---:|---:|---:|---:|"
    for batch, rates in found.items():
        per_second = median(one.per_second for one in rates)
        cpu_us = median(one.cpu_us for one in rates)
        yield (
            f"| {batch} | {per_second:,.0f} | {cpu_us:.1f} | {bare_us:.1f} "
            f"| {per_second * bare_us / 1e6:.0%} |"
        )


def _answer_bytes(connection: socket.socket, command: Encrypt) -> int:
    """Return how long one answer is: all of them are alike."""
    connection.sendall(frame_of(0, command))
    answer = connection.recv(1 << 16)
    if not isinstance(msgspec.msgpack.decode(answer[8:], type=Bytes), Bytes):
        raise SystemExit("the HSM did not encrypt")
    return len(answer)


def _repeat(connection: socket.socket, frames: bytes, answers_bytes: int, seconds: float) -> int:
    """Send a batch and read its answers until the time is over; return how many times."""
    times, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        connection.sendall(frames)
        left = answers_bytes
        while left:
            left -= len(connection.recv(1 << 18))
        times += 1
    return times


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kagimori-bench-") as name:
        write(Path(name), rounds=3, seconds=2.0, page=None if "--print-only" in sys.argv else PAGE)
