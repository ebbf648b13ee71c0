"""The audit key as stored: the token that the HSM signs digests with, and its public half."""

from typing import Final

from msgspec import Struct

NAME: Final = "audit_key"  # the one entity's


class StoredAuditKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A deployment has one at the most; `public_key` is DER, SubjectPublicKeyInfo."""

    name: str = NAME
    token: bytes
    public_key: bytes
    version: int = 1
