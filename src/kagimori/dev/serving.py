"""Become `kagimori dev`: `python -m kagimori.dev.serving SETTINGS` (JSON). The command does."""

import sys

import msgspec

from kagimori.deployment.folder import Unusable
from kagimori.dev.start import serve_dev
from kagimori.settings import Settings


def main() -> None:
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    try:
        failure = serve_dev(settings)
    except Unusable as reason:
        failure = str(reason)
    if failure is not None:
        sys.exit(f"kagimori: {failure}")


if __name__ == "__main__":
    main()
