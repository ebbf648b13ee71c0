"""Start a token process: `python -m kagimori_hsm.pkcs11 OPTIONS`, options as JSON."""

import signal
import sys

import msgspec

from kagimori_boundary.token_options import TokenOptions
from kagimori_hsm.memory import protect
from kagimori_hsm.pkcs11.process import serve


def main() -> None:
    options = msgspec.json.decode(sys.argv[1], type=TokenOptions)
    # INVARIANT(plain-keys-stay-inside): before the PIN is read, and before any data key is made.
    memory_locked = protect()
    # The supervisor decides when it ends, as it does for the HSM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The thread for the token must not hold up the loop for five milliseconds a turn.
    sys.setswitchinterval(0.0005)
    serve(options, memory_locked=memory_locked)


if __name__ == "__main__":
    main()
