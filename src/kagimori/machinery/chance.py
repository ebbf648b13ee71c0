"""Random identifiers."""

import os
from collections.abc import Callable
from itertools import chain
from typing import Final

from kagimori.rules.chain.stream_names import NODE_ID_CHARACTERS, NODE_ID_LETTERS

_DRAWN_TOGETHER: Final = 128
_VARIANTS: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def uuids() -> Callable[[], str]:
    """Return a function that answers a random UUID (version 4, RFC 9562), as text, at each call.

    Every request takes two, and asking the system for randomness lets another thread have the
    interpreter each time: so many are drawn together, and handed out without a call of ours.
    """
    return chain.from_iterable(iter(_drawn_together, None)).__next__


def _drawn_together() -> list[str] | None:
    """Return the next UUIDs to hand out; there is no end to them."""
    drawn = os.urandom(16 * _DRAWN_TOGETHER).hex()
    return [_uuid(drawn[at : at + 32]) for at in range(0, len(drawn), 32)]


def _uuid(digits: str) -> str:
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


new_uuid: Final = uuids()


_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_access_key_id() -> str:
    """Return a new long-term access key id: `AKIA` and 16 characters."""
    return "AKIA" + "".join(_BASE32[byte & 31] for byte in os.urandom(16))


def new_node_id() -> str:
    """Return a new id of a node: 10 small letters and digits, 50 random bits."""
    return "".join(NODE_ID_LETTERS[byte & 31] for byte in os.urandom(NODE_ID_CHARACTERS))


def new_account_id() -> str:
    """Return 12 random digits, the first of them not zero."""
    return str(100_000_000_000 + int.from_bytes(os.urandom(8)) % 900_000_000_000)
