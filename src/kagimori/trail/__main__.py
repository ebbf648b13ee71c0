"""Start the followers: `python -m kagimori.trail CONFIG` (JSON). The supervisor does."""

import signal
import sys

import msgspec

from kagimori.trail.options import TrailConfig
from kagimori.trail.process import TrailProcess


def main() -> None:
    # The supervisor says when to stop; a terminal's interrupt reaches every process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    TrailProcess(msgspec.json.decode(sys.argv[1], type=TrailConfig)).run()


if __name__ == "__main__":
    main()
