"""`python -m kagimori_console OPTIONS`: as `kagimori console` starts it, OPTIONS in JSON."""

import json
import os
import signal
import sys
import threading
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from kagimori_console.options import Options, Tls
from kagimori_console.serving import serve
from kagimori_console.sessions.cookies import new_key

# Given in the environment, which only its owner may read; the command line is for all to see.
LINK_TOKEN: Final = "KAGIMORI_SIGN_IN_TOKEN"  # noqa: S105 - a name


def main() -> int:
    """Serve a console; return an exit code."""
    given = json.loads(sys.argv[1])
    beside_server = given.pop("beside_server", False)
    try:
        options = _options(given)
        if beside_server:
            threading.Thread(target=_end_with_server, daemon=True).start()
        serve(options, link_token=os.environ.pop(LINK_TOKEN, None))
    except (OSError, ValueError) as problem:
        print(f"kagimori: {problem}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _options(given: dict[str, Any]) -> Options:
    """Return the settings.

    Raises:
        ValueError: sign-in would go over a network without TLS.
        OSError: the file with the key cannot be read or made.
    """
    key_file, tls = given.pop("session_key_file", None), given.pop("tls", None)
    options = Options(
        **{**given, "regions": tuple(given["regions"])},
        tls=None if tls is None else Tls(*tls),
        session_key=new_key() if key_file is None else _kept_key(Path(key_file)),
    )
    if not options.secure and not _is_loopback(options.host):
        raise ValueError(
            f"{options.host} is not loopback: give --tls-cert and --tls-key, or --public-url https://…"
        )
    return options


def _kept_key(file: Path) -> bytes:
    """Return the key of a private file, which is made if it is absent."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_bytes().strip()
    with os.fdopen(handle, "wb") as opened:
        key = new_key()
        opened.write(key)
    return key


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _end_with_server() -> None:
    """End this process when the server beside it has ended, and with it our standard input."""
    while sys.stdin.buffer.read(1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
