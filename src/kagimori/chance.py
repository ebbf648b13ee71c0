"""Random identifiers."""

import os


def new_uuid() -> str:
    """Return a random UUID (version 4, RFC 9562) as text; several times faster than the library's,
    which matters because every request takes two.
    """
    text = os.urandom(16).hex()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_access_key_id() -> str:
    """Return a new long-term access key id: `AKIA` and 16 characters."""
    return "AKIA" + "".join(_BASE32[byte & 31] for byte in os.urandom(16))


def new_account_id() -> str:
    """Return 12 random digits, the first of them not zero."""
    return str(100_000_000_000 + int.from_bytes(os.urandom(8)) % 900_000_000_000)
