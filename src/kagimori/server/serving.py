"""Become the server: `python -m kagimori.server.serving DATA SETTINGS [accept-rollback]` (JSON).

`kagimori serve` hands over to this process image, so that what the command line needed does not
stay in memory for as long as the server runs.
"""

import sys
from pathlib import Path
from typing import Final

import msgspec

from kagimori.deployment.folder import Unusable
from kagimori.server.start import serve
from kagimori.settings import Settings

ACCEPTS_ROLLBACK: Final = "accept-rollback"


def main() -> None:
    data, settings = Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Settings)
    try:
        failure = serve(data, settings, accepts_rollback=ACCEPTS_ROLLBACK in sys.argv[3:])
    except Unusable as reason:
        failure = str(reason)
    if failure is not None:
        sys.exit(f"kagimori: {failure}")


if __name__ == "__main__":
    main()
