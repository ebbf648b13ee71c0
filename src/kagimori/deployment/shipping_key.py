"""The key of journals that are shipped beside backups: drawn once, and held by each backup.

With a backup, all that was shipped since can be opened. It is no secret to those who can read the
data folder: the journals themselves are there.
"""

import os
import secrets

from kagimori.deployment.folder import Layout, Unusable
from kagimori.machinery.files import write_once
from kagimori.rules.nodes.shipped import KEY_BYTES


def shipping_key(layout: Layout) -> bytes:
    """Return the key, made now if there is none.

    Raises:
        Unusable: the file holds something else, or cannot be read or written.
    """
    file = layout.shipping_key
    try:
        if not file.exists():
            write_once(file, secrets.token_hex(KEY_BYTES).encode() + b"\n")
        with file.open("rb") as source:
            text = source.read(2 * KEY_BYTES + 2).removesuffix(b"\n")
        key = bytes.fromhex(text.decode("ascii"))
    except OSError as problem:
        raise Unusable(f"cannot use {file}: {os.strerror(problem.errno or 0)}") from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Unusable(f"{file} does not hold {KEY_BYTES} bytes in hex: remove it, then back up")
    return key
