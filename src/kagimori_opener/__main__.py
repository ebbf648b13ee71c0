"""Start the opener: `python -m kagimori_opener OPTIONS`, options as JSON."""

import os
import signal
import socket
import sys
import threading

import msgspec

from kagimori_boundary.opener_options import OpenerOptions
from kagimori_boundary.seals import KMS, PKCS11
from kagimori_opener.kms_root import KmsRoot
from kagimori_opener.root import Root
from kagimori_opener.service import serve
from kagimori_opener.token_root import TokenRoot


def main() -> None:
    options = msgspec.json.decode(sys.argv[1], type=OpenerOptions)
    # The supervisor decides when it ends, as it does for the HSM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    roots: dict[str, Root] = {
        PKCS11: TokenRoot(options.tokens, options.environment),
        KMS: KmsRoot(options.kms),
    }
    serve(socket.socket(fileno=options.connection_fd), roots)


def _end_with_the_supervisor() -> None:
    """End the process once its standard input closes."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
