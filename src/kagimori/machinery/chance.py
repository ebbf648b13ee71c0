"""Random identifiers."""

import os
from typing import Final

_DRAWN_TOGETHER: Final = 128
_VARIANTS: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


class Uuids:
    """Random UUIDs (version 4, RFC 9562), as text.

    Every request takes two, and asking the system for randomness lets another thread have the
    interpreter each time: so many are drawn together.
    """

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def new(self) -> str:
        """Return one that was never given before."""
        if not self._drawn:
            drawn = os.urandom(16 * _DRAWN_TOGETHER).hex()
            self._drawn = [_uuid(drawn[at : at + 32]) for at in range(0, len(drawn), 32)]
        return self._drawn.pop()


new_uuid: Final = Uuids().new


def _uuid(digits: str) -> str:
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_access_key_id() -> str:
    """Return a new long-term access key id: `AKIA` and 16 characters."""
    return "AKIA" + "".join(_BASE32[byte & 31] for byte in os.urandom(16))


def new_account_id() -> str:
    """Return 12 random digits, the first of them not zero."""
    return str(100_000_000_000 + int.from_bytes(os.urandom(8)) % 900_000_000_000)
