"""Start the HSM: `python -m kagimori_hsm --socket PATH --seal-key-fd N --operator-fd N`.

Nothing but the protection of memory and the fork of the RSA checker stands before the import of
the rest, so that the checker is small.
"""

import argparse
import signal
import sys

from kagimori_hsm.memory import protect
from kagimori_hsm.rsa_checker import RsaChecker


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kagimori_hsm")
    parser.add_argument("--socket", required=True, help="path of the workers' socket, to be made")
    parser.add_argument(
        "--seal-key-fd", type=int, action="append", default=[], help="holds a seal key, hex"
    )
    parser.add_argument("--opener-fd", type=int, help="a connected datagram socket to the opener")
    parser.add_argument("--operator-fd", type=int, required=True, help="a connected Unix socket")
    parser.add_argument("--journal-fd", type=int, help="open for reading and appending")
    parser.add_argument(
        "--refusal-seconds", type=int, help="how long operators can refuse a request"
    )
    parser.add_argument(
        "--dev", action="store_true", help="take keys in plain, and a clock that moves"
    )
    options = parser.parse_args()
    # INVARIANT(plain-keys-stay-inside): before the first secret is read.
    memory_locked = protect()
    # The supervisor decides when the HSM ends: what interrupts or ends a whole group of processes
    # reaches this one too, and what is being drained still needs it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    rsa_checker = RsaChecker.forked()
    # Threads that make RSA keys must not hold up the loop for five milliseconds a turn.
    sys.setswitchinterval(0.0005)
    from kagimori_hsm.process import serve  # noqa: PLC0415 - after the fork

    serve(
        socket_path=options.socket,
        seal_key_fds=options.seal_key_fd,
        opener_fd=options.opener_fd,
        operator_fd=options.operator_fd,
        journal_fd=options.journal_fd,
        memory_locked=memory_locked,
        refusal_seconds=options.refusal_seconds,
        dev=options.dev,
        is_valid_rsa_pair=rsa_checker.is_valid_pair,
    )


if __name__ == "__main__":
    main()
