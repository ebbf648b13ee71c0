"""A worker's process, from its command line on."""

import gc
import os
import resource
import signal
import sys
from typing import Final

import msgspec
import uvloop
from msgspec.structs import replace

from kagimori.machinery.logs import Log
from kagimori.server.confinement import Confinement
from kagimori.server.kind import ServerKind
from kagimori.server.worker import Worker, refusal_of
from kagimori.server.worker_config import WorkerConfig
from kagimori.trail.recovery import JournalDamaged

# Objects in flight for a few hundred requests must not look like garbage that gathers.
COLLECT_AFTER: Final = 20_000
FILES_BESIDE_CONNECTIONS: Final = 256


def run_worker(config_text: str, kind: ServerKind) -> None:
    """Be a worker until the supervisor says when to stop."""
    config = msgspec.json.decode(config_text, type=WorkerConfig)
    # The supervisor says when to stop; a terminal's interrupt reaches every process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    config = with_room_for_files(config)
    # The journal's thread must not wait five milliseconds for its turn.
    sys.setswitchinterval(0.0005)
    uvloop.run(_run(config, kind))


def with_room_for_files(config: WorkerConfig) -> WorkerConfig:
    """Return the configuration with as many connections as there may be open files."""
    front = config.settings.front
    connections = allow_open_files(front.connections)
    if connections == front.connections:
        return config
    why = f"the limit of open files leaves room for {connections} connections"
    Log().error("trouble", part="connections", why=why)
    front = replace(front, connections=connections)
    return replace(config, settings=replace(config.settings, front=front))


def allow_open_files(connections: int) -> int:
    """Raise the limit of open files for so many connections; return how many there may be.

    Beyond the limit nobody could connect, not even to the health pages, even if others gave way.
    """
    wanted = connections + FILES_BESIDE_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return min(connections, max(1, wanted - FILES_BESIDE_CONNECTIONS))


async def _run(config: WorkerConfig, kind: ServerKind) -> None:
    try:
        worker = Worker(config, kind, Confinement(config))
    except JournalDamaged as damaged:
        os.write(config.control_fd, refusal_of(damaged))
        os._exit(1)
    # What is there now stays; what requests leave behind goes without the collector's help.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    await worker.run()
