"""How long a server takes from its start to its first answer, on a deployment with few keys."""

import tempfile
from pathlib import Path

from servers import Kagimori


def seconds_to_ready(folder: Path, rounds: int) -> float:
    """Return the median of some starts, each of a new deployment."""
    times = []
    for number in range(rounds):
        with Kagimori(folder / f"start-{number}") as started:
            times.append(started.seconds_to_ready)
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kagimori-bench-") as folder:
        print(f"{seconds_to_ready(Path(folder), 3):.2f} seconds to ready")
