"""Commands about credentials: secret access keys, session tokens, claims."""

from typing import ClassVar, Final

from msgspec import Struct

from kagimori_boundary.commands.command import OPERATOR_ALONE, OPERATOR_AND_WORKER, HsmCommand, Role
from kagimori_boundary.commands.sign_in import OneCode

# Whose an access key is: the root user of its account, or else a user's unique id or a service.
ROOT_HOLDER: Final = "root"
SERVICE_HOLDER: Final = "service/"  # with the service's name
UNKNOWN_HOLDER: Final = ""  # of access keys that were made before holders were sealed with them
NO_ACCOUNT: Final = ""  # services belong to none, so that nobody in one can make a service

# The kinds of sessions.
ROLE, USER, ROOT, FEDERATED = "role", "user", "root", "federated"


class AccessKeyProof(Struct, frozen=True, array_like=True, tag=1):
    """Proof that the caller has a long-term access key; the HSM opens its sealed secret."""

    account_id: str
    access_key_id: str
    holder: str
    sealed_secret: bytes


class SessionProof(Struct, frozen=True, array_like=True, tag=2):
    """Proof that the caller has a session; the HSM opens its token."""

    access_key_id: str
    session_token: bytes


Proof = AccessKeyProof | SessionProof


class CreateSecret(HsmCommand, frozen=True, tag=36):
    """Operator: make a secret access key; answers it plain (once) and sealed."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE

    account_id: str
    access_key_id: str
    holder: str


class CreateSecretOnBehalf(HsmCommand, frozen=True, tag=40):
    """Make a secret access key on behalf of the caller whom `proof` shows.

    It is of the caller's account; for operators of the deployment also of a service, which has
    no account.
    """

    is_minting: ClassVar[bool] = True

    account_id: str
    access_key_id: str
    holder: str
    proof: Proof | None = None


class CreateAccountSecret(HsmCommand, frozen=True, tag=46):
    """Make a secret access key for the root user of a new account, whose id the HSM draws.

    For operators of the deployment, as `proof` shows. Since nobody chooses the account's id, no
    account that exists can be opened this way.
    """

    is_minting: ClassVar[bool] = True

    access_key_id: str
    proof: Proof | None = None


class DeriveSigningKey(HsmCommand, frozen=True, tag=37):
    """The day's Signature Version 4 signing key for one region and service."""

    account_id: str
    access_key_id: str
    holder: str
    sealed_secret: bytes
    date: str
    region: str
    service: str


class CreateSession(HsmCommand, frozen=True, tag=38):
    """Make a temporary secret and the session token that carries it, sealed.

    `kind`, `account_id`, `principal_id` (the unique id of the user or role, `root` of the root
    user) and the times (whole seconds since the epoch) are held to AWS's rules by the HSM, and
    come back from it; `claims` are the rest, which it does not read. Without a proof it is a
    session of web identity. With a code, only if that is right.
    """

    is_minting: ClassVar[bool] = True

    access_key_id: str
    kind: str
    account_id: str
    principal_id: str
    issued_at: int
    expires_at: int
    claims: bytes
    proof: Proof | None = None
    code: OneCode | None = None


class OpenSession(HsmCommand, frozen=True, tag=39):
    """Open a session token presented with its access key; answers what it is, and a signing key."""

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
