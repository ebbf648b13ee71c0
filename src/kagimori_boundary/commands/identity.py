"""Commands about credentials: secret access keys, session tokens, claims."""

from typing import ClassVar

from kagimori_boundary.commands.command import OPERATOR_AND_WORKER, HsmCommand, Role
from kagimori_boundary.commands.sign_in import OneCode


class CreateSecret(HsmCommand, frozen=True, tag=10):
    """Make a secret access key for an access key; answers it plain (once) and sealed."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_WORKER

    account_id: str
    access_key_id: str


class DeriveSigningKey(HsmCommand, frozen=True, tag=11):
    """The day's Signature Version 4 signing key for one region and service."""

    account_id: str
    access_key_id: str
    sealed_secret: bytes
    date: str
    region: str
    service: str


class CreateSession(HsmCommand, frozen=True, tag=24):
    """Make a temporary secret and the session token that carries it, sealed, with `claims`.

    With a code, only if that is right.
    """

    access_key_id: str
    claims: bytes
    code: OneCode | None = None


class OpenSession(HsmCommand, frozen=True, tag=25):
    """Open a session token presented with its access key; answers claims and signing key."""

    is_carried: ClassVar[bool] = True

    access_key_id: str
    session_token: bytes
    date: str
    region: str
    service: str


class SealClaims(HsmCommand, frozen=True, tag=26):
    """Seal bytes that a client carries for us and cannot read or change."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_WORKER

    purpose: str
    claims: bytes


class OpenClaims(HsmCommand, frozen=True, tag=27):
    is_carried: ClassVar[bool] = True

    purpose: str
    sealed: bytes
