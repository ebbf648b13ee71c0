"""Become the server: `python -m kagimori.server.serving DATA SETTINGS` (JSON).

`kagimori serve` hands over to this process image, so that what the command line needed does not
stay in memory for as long as the server runs.
"""

import sys
from pathlib import Path

import msgspec

from kagimori.deployment.folder import Unusable
from kagimori.server.start import serve
from kagimori.settings import Settings


def main() -> None:
    data, settings = Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Settings)
    try:
        failure = serve(data, settings)
    except Unusable as reason:
        failure = str(reason)
    if failure is not None:
        sys.exit(f"kagimori: {failure}")


if __name__ == "__main__":
    main()
