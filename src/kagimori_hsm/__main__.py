"""Start the HSM: `python -m kagimori_hsm --socket PATH --seal-key-fd N --operator-fd N`.

It opens no file: the seal key arrives as an open descriptor, and the operator's connection as
another. When the operator's end closes, the process ends, and with it every key in plain.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys

import uvloop

from kagimori_hsm.door import Connection
from kagimori_hsm.memory import protect
from kagimori_hsm.module import Module


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kagimori_hsm")
    parser.add_argument("--socket", required=True, help="path of the workers' socket, to be made")
    parser.add_argument("--seal-key-fd", type=int, required=True, help="holds the seal key, hex")
    parser.add_argument("--operator-fd", type=int, required=True, help="a connected Unix socket")
    parser.add_argument(
        "--takes-given-material", action="store_true", help="keys as given in plain; for dev alone"
    )
    options = parser.parse_args()
    # INVARIANT(plain-keys-stay-inside): before the first secret is read.
    memory_locked = protect()
    module = Module(
        _seal_key(options.seal_key_fd),
        memory_locked=memory_locked,
        takes_given_material=options.takes_given_material,
    )
    module.self_test()
    # Threads that make RSA keys must not hold up the loop for five milliseconds a turn.
    sys.setswitchinterval(0.0005)
    # The supervisor decides when the HSM ends; a terminal's interrupt reaches every process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(_serve(module, options.socket, socket.socket(fileno=options.operator_fd)))


async def _serve(module: Module, path: str, operator: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    operator_gone = asyncio.Event()
    previous_mask = os.umask(0o177)  # the socket is its owner's alone
    server = await loop.create_unix_server(
        lambda: Connection(module.perform_for_worker, module.is_slow), path=path
    )
    os.umask(previous_mask)
    loop.add_signal_handler(signal.SIGTERM, operator_gone.set)
    await loop.create_unix_connection(
        lambda: Connection(module.perform_for_operator, module.is_slow, operator_gone.set),
        sock=operator,
    )
    await operator_gone.wait()
    server.close()


def _seal_key(descriptor: int) -> bytes:
    """Return the seal key; for a file that holds none, one that opens nothing."""
    with os.fdopen(descriptor, "rb") as file:
        try:
            return bytes.fromhex(file.read(1024).decode("ascii"))
        except ValueError:
            return os.urandom(32)


if __name__ == "__main__":
    main()
