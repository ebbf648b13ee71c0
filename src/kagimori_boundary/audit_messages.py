"""Messages about the key that signs digests of the audit trail; see `messages.py`."""

from msgspec import Struct


class CreateAuditKey(Struct, frozen=True, array_like=True, tag=29):
    """Operator: make the key that signs digests of the audit trail; answers a `NewKey`."""


class SignDigest(Struct, frozen=True, array_like=True, tag=30):
    """Operator: sign one digest of the audit trail; the fields are what CloudTrail signs.

    `end_time` is ISO 8601; `content_hash` the SHA-256 of the digest; `previous_signature` that of
    the digest before it, empty for the first.
    """

    key_token: bytes
    end_time: str
    bucket: str
    object_name: str
    content_hash: bytes
    previous_signature: bytes
