"""A key token with all that it is bound to, as commands carry it."""

from msgspec import Struct, msgpack


class BoundToken(Struct, frozen=True, array_like=True):
    """A key token with all it is bound to; commands carry it encoded, as bytes.

    The HSM opens the token only if every field is what it was made for.
    """

    account_id: str
    region: str
    key_id: str
    key_spec: str
    key_usage: str
    origin: str
    material_id: bytes
    key_token: bytes


_decode = msgpack.Decoder(BoundToken).decode


def account_in(bound_token: bytes) -> str:
    """Return the account that an encoded token says it is of; empty if it is no token."""
    try:
        bound: BoundToken = _decode(bound_token)
    except ValueError:
        return ""
    return bound.account_id
