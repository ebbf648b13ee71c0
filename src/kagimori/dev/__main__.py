"""Start one API worker of `kagimori dev`: `python -m kagimori.dev CONFIG`. NOT SAFE."""

import sys

from kagimori.dev.kind import DevKind
from kagimori.server.run_worker import run_worker

if __name__ == "__main__":
    run_worker(sys.argv[1], DevKind())
