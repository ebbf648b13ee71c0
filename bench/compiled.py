"""What compiling the hot rooms with mypyc would give: `python bench/compiled.py`.

Compiles a copy of the sources, the files of the hot path as one group, and compares the CPU that an
Encrypt costs the parts of a worker, with the HSM's module, in one process (`walk.World`): pure and
compiled, in turns. Needs a C compiler, mypyc (it comes with mypy) and some minutes. The result, and
why the service is not compiled, is docs/decisions/0044-not-compiled.md.
"""

import argparse
import asyncio
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from walk import Peer, World, body_of, members_for

TOP = Path(__file__).resolve().parents[1]
# Files that an Encrypt goes through and that mypyc takes as they are: without a struct, since it
# drops the keywords of a struct's class, and without a base of an interpreted class.
FILES = """
kagimori/front: json11 wire
kagimori/gate: across key_uses may_they quota recipient
kagimori/hsm: client holders
kagimori/http: answers connection head message
kagimori/machinery: chance quota_counts telemetry
kagimori/machinery/store: memory
kagimori/operations/kms: ciphertext_refs key_refs
kagimori: path
kagimori/rules/authorization: authorize caller_findings
kagimori/rules/chain: groups
kagimori/rules/keys: symmetric_ciphertext usage
kagimori/rules/policy: match
kagimori/rules/quotas: fair_bucket
kagimori/rules/records: parameters record times
kagimori/rules/sigv4: verify
kagimori/server: doors
kagimori/trail: archive index_follower source
kagimori_boundary: frames key_specs
kagimori_hsm/algorithms: symmetric
kagimori_hsm: ciphertext encryption_context lanes module rates ring states tokens
kagimori_hsm/commands: use
kagimori_hsm/engines: software
""".strip().splitlines()
CALLS_AT_ONCE, BATCHES = 64, 8
BUILD = """
import sys
from mypyc.build import mypycify
from setuptools import setup
setup(name="compiled", packages=[], ext_modules=mypycify(
    ["--config-file", "../pyproject.toml", *sys.argv.pop().split()], multi_file=True))
"""


def files() -> list[str]:
    """Return the paths of the files, below `src`."""
    rooms = (line.split(": ") for line in FILES)
    return [f"{room}/{name}.py" for room, names in rooms for name in names.split()]


def compile_copy(folder: Path) -> Path:
    """Return a copy of the sources, its hot rooms compiled."""
    source = folder / "src"
    shutil.copytree(TOP / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", folder)
    print(f"compiling {len(files())} files", file=sys.stderr)
    built = subprocess.run(
        [sys.executable, "-c", BUILD, "build_ext", "--inplace", " ".join(files())],
        cwd=source, capture_output=True, text=True,
    )  # fmt: skip
    if built.returncode:
        sys.exit(built.stdout[-2000:] + built.stderr[-2000:])
    return source


async def _measure_batches() -> None:
    """For each line on stdin: print the CPU microseconds of an Encrypt, batch by batch."""
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        await world.populate()
        members = await members_for(world, "Encrypt", None)
        peers = [Peer() for _ in range(CALLS_AT_ONCE)]
        connections = []
        for peer in peers:
            connection = world._front.connection(loop)  # noqa: SLF001 - what a loop would call
            connection.connection_made(peer)
            connections.append((peer, connection))
        gc.freeze()
        gc.set_threshold(20_000)  # as a worker does
        for _ in sys.stdin:
            found = []
            for _ in range(BATCHES):
                requests = [world.signer.kms("Encrypt", **members) for _ in connections]
                began = time.process_time()
                for (peer, connection), request in zip(connections, requests, strict=True):
                    peer.answered = loop.create_future()
                    connection.data_received(request)
                answers = [await peer.answered for peer in peers]
                found.append((time.process_time() - began) / CALLS_AT_ONCE * 1e6)
                body_of(answers[-1])
            print(json.dumps(found), flush=True)


def compare(pure: Path, compiled: Path, rounds: int) -> None:
    def start(source: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, __file__, "--batches"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(source)},
        )  # fmt: skip

    running = {"pure": start(pure), "compiled": start(compiled)}
    found: dict[str, list[float]] = {name: [] for name in running}
    for number in range(rounds + 1):
        for name, process in running.items():
            _, answer = print(file=process.stdin, flush=True), process.stdout.readline()
            found[name] += json.loads(answer) if number else []  # the first warms up
    for process in running.values():
        process.communicate()
    for which, take in (("least", min), ("tenth", _tenth), ("median", statistics.median)):
        of_pure, of_compiled = take(found["pure"]), take(found["compiled"])
        print(
            f"CPU µs of an Encrypt, {which:6}: pure {of_pure:6.1f}, compiled {of_compiled:6.1f}, "
            f"ratio {of_compiled / of_pure:.2f}"
        )


def _tenth(values: list[float]) -> float:
    return sorted(values)[len(values) // 10]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--batches", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batches:
        uvloop.run(_measure_batches())
        return
    with tempfile.TemporaryDirectory(prefix="kagimori-compiled-") as folder:
        compare(TOP / "src", compile_copy(Path(folder)), options.rounds)


if __name__ == "__main__":
    main()
