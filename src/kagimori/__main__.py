"""Start one API worker: `python -m kagimori CONFIG` (JSON). The supervisor does; people do not."""

import signal
import sys

import msgspec
import uvloop

from kagimori.logs import configure
from kagimori.worker import Worker, WorkerConfig


async def _run(config: WorkerConfig) -> None:
    await Worker(config).run()


def main() -> None:
    config = msgspec.json.decode(sys.argv[1], type=WorkerConfig)
    configure()
    # The supervisor says when to stop; a terminal's interrupt reaches every process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The journal's thread must not wait five milliseconds for its turn.
    sys.setswitchinterval(0.0005)
    uvloop.run(_run(config))


if __name__ == "__main__":
    main()
