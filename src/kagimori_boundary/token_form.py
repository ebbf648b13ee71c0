"""The form of a token, as far as others than the HSM may read it: which domain key it is under."""

from typing import Final

TOKEN_VERSION: Final = b"\x01"
DOMAIN_KEY_ID_BYTES: Final = 8
# `version | domain key id`: nine bytes, which are twelve characters of base64 without a rest.
TOKEN_MARK_BYTES: Final = 1 + DOMAIN_KEY_ID_BYTES


def domain_key_id(token: bytes) -> bytes | None:
    """Return the id of the domain key that wraps a token; None if it is no token."""
    if len(token) < TOKEN_MARK_BYTES or token[:1] != TOKEN_VERSION:
        return None
    return token[1:TOKEN_MARK_BYTES]


def token_mark(key_id: bytes) -> bytes:
    """Return the bytes that every token under this domain key begins with."""
    return TOKEN_VERSION + key_id
