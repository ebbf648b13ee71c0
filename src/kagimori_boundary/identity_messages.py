"""Messages about credentials: secret access keys, session tokens, claims; see `messages.py`."""

from msgspec import Struct

from kagimori_boundary.sign_in_messages import OneCode, TakenCode


class CreateSecret(Struct, frozen=True, array_like=True, tag=10):
    """Make a secret access key for an access key; answers it plain (once) and sealed."""

    account_id: str
    access_key_id: str


class DeriveSigningKey(Struct, frozen=True, array_like=True, tag=11):
    """The day's Signature Version 4 signing key for one region and service."""

    account_id: str
    access_key_id: str
    sealed_secret: bytes
    date: str
    region: str
    service: str


class CreateSession(Struct, frozen=True, array_like=True, tag=24):
    """Make a temporary secret and the session token that carries it, sealed, with `claims`.

    With a code, only if that is right.
    """

    access_key_id: str
    claims: bytes
    code: OneCode | None = None


class OpenSession(Struct, frozen=True, array_like=True, tag=25):
    """Open a session token presented with its access key; answers claims and signing key."""

    access_key_id: str
    session_token: bytes
    date: str
    region: str
    service: str


class SealClaims(Struct, frozen=True, array_like=True, tag=26):
    """Seal bytes that a client carries for us and cannot read or change."""

    purpose: str
    claims: bytes


class OpenClaims(Struct, frozen=True, array_like=True, tag=27):
    purpose: str
    sealed: bytes


class NewSecret(Struct, frozen=True, array_like=True, tag=6):
    secret_access_key: str
    sealed_secret: bytes


class NewSession(Struct, frozen=True, array_like=True, tag=12):
    """`taken` is there when a code was."""

    secret_access_key: str
    session_token: bytes
    taken: TakenCode | None = None


class OpenedSession(Struct, frozen=True, array_like=True, tag=13):
    claims: bytes
    signing_key: bytes
