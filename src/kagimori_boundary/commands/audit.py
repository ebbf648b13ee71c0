"""Commands about the key that signs digests of the audit trail."""

from typing import ClassVar

from kagimori_boundary.commands.command import (
    OPERATOR_ALONE,
    OPERATOR_AND_FOLLOWER,
    HsmCommand,
    Role,
)


class CreateAuditKey(HsmCommand, frozen=True, tag=29):
    """Operator: make the key that signs digests of the audit trail; answers a `NewKey`."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE
    is_slow: ClassVar[bool] = True


class SignDigest(HsmCommand, frozen=True, tag=30):
    """Operator: sign one digest of the audit trail; the fields are what CloudTrail signs.

    `end_time` is ISO 8601; `content_hash` the SHA-256 of the digest; `previous_signature` that of
    the digest before it, empty for the first.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_FOLLOWER

    key_token: bytes
    end_time: str
    bucket: str
    object_name: str
    content_hash: bytes
    previous_signature: bytes
