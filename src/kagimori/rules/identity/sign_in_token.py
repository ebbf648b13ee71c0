"""Sign-in tokens, as stored: who can sign in with one until when, and its hash alone."""

from hashlib import sha256
from typing import Final

from msgspec import Struct

TOKEN_SECONDS: Final = 600


class SignInToken(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest token of a user (by unique id) or of the root user (`root`); one more ends it.

    `expires_at` is seconds since the epoch. It is taken no longer than the access key is that it
    was asked for with.
    """

    account_id: str
    holder: str
    token_hash: str
    access_key_id: str
    expires_at: int
    version: int = 1


def hash_of_token(token: str) -> str:
    """Return the hash by which a token is found: it has 256 bits of chance, and needs no salt."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
