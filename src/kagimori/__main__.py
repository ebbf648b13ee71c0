"""Start one API worker: `python -m kagimori CONFIG` (JSON). The supervisor does; people do not."""

import sys

from kagimori.server.kind import ServerKind
from kagimori.server.run_worker import run_worker

if __name__ == "__main__":
    run_worker(sys.argv[1], ServerKind())
