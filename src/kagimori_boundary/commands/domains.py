"""Commands about domain keys: their rotation, their destruction, and tokens wrapped anew.

Rotation and destruction take all rings as they are kept, sealed, answer their successors, sealed,
and change nothing. These are in force once the operator has read them back from the store and has
had them adopted: no token is made under a domain key that a crash could lose.
"""

from typing import ClassVar

from msgspec import Struct

from kagimori_boundary.commands.command import (
    OPERATOR_ALONE,
    OPERATOR_AND_WORKER,
    HsmCommand,
    Role,
)


class KeyToken(Struct, frozen=True, array_like=True, tag=1):
    """The token of a backing key, as commands carry it."""

    bound_token: bytes


class SecretToken(Struct, frozen=True, array_like=True, tag=2):
    """The sealed secret of an access key."""

    account_id: str
    access_key_id: str
    holder: str
    sealed: bytes


class SeedToken(Struct, frozen=True, array_like=True, tag=3):
    """The sealed seed of a virtual MFA device."""

    serial_number: str
    sealed: bytes


class PasswordToken(Struct, frozen=True, array_like=True, tag=4):
    """The sealed hashes of a user's passwords."""

    account_id: str
    user_id: str
    sealed: bytes


class AuditKeyToken(Struct, frozen=True, array_like=True, tag=5):
    """The key that signs digests of the audit trail."""

    sealed: bytes


class StoreSecretToken(Struct, frozen=True, array_like=True, tag=6):
    """The sealed secret of a custom key store."""

    account_id: str
    region: str
    key_store_id: str
    purpose: str
    access_key_id: str
    sealed: bytes


StoredToken = KeyToken | SecretToken | SeedToken | PasswordToken | AuditKeyToken | StoreSecretToken


class DescribeDomains(HsmCommand, frozen=True, tag=41):
    """List the domain keys that are in force."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_WORKER


class RotateDomainKeys(HsmCommand, frozen=True, tag=42):
    """Draw a new current domain key for each of these domains; answers all rings, sealed.

    `now`: seconds since the epoch; only `dev` goes by it.
    """

    sealed_domains: bytes
    names: list[str]
    now: float


class DestroyDomainKeys(HsmCommand, frozen=True, tag=43):
    """Leave these domain keys out of their rings; answers all rings, sealed.

    Refused for a current one, and for one that has not rested as long as tokens of clients live.
    """

    sealed_domains: bytes
    key_ids: list[bytes]
    now: float


class AdoptDomains(HsmCommand, frozen=True, tag=44):
    """Operator: use the rings in this blob from now on; they must succeed those in force."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE

    sealed_domains: bytes


class RewrapTokens(HsmCommand, frozen=True, tag=45):
    """Wrap tokens under the current domain keys, each with the binding that it has.

    Answers one token for each, in order, or refuses if one does not open.
    """

    tokens: list[StoredToken]
