"""Tokens: secrets that are kept outside, encrypted and bound to what they are for.

A token that does not open is refused without a reason: altered, of another domain key, or presented
for something that it was not made for.
"""

from struct import pack

from kagimori_boundary.commands import BoundToken


class TokenRefused(Exception):
    """The token does not open: altered, of another domain, or bound to something else."""


class ExpiredToken(Exception):
    """The token was right, and is too late."""


def binding_of(*fields: str | bytes) -> bytes:
    """Return the bytes a token is bound to: each field preceded by its length."""
    parts: list[bytes] = []
    for field in fields:
        text = field.encode() if isinstance(field, str) else field
        parts += (pack(">I", len(text)), text)
    return b"".join(parts)


def key_identity(account_id: str, key_id: str) -> bytes:
    """Return the identity of the KMS key that a ciphertext is bound to, in all regions the same.

    Related multi-Region keys share it, so that a ciphertext of one opens under the other.
    """
    return binding_of(account_id, key_id)


def token_binding(bound: BoundToken) -> bytes:
    """Return the binding of a backing key's token: every other field of `bound`."""
    return binding_of(
        "backing key",
        bound.account_id,
        bound.region,
        bound.key_id,
        bound.key_spec,
        bound.key_usage,
        bound.origin,
        bound.material_id,
    )
