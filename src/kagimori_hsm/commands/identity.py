"""Secrets of identities: secret access keys, session tokens, claims that clients carry sealed."""

import base64
import hmac
import os
from collections.abc import Callable
from typing import Any, Final

import msgspec

from kagimori_boundary import commands
from kagimori_boundary.replies import Bytes, NewSecret, NewSession, OpenedSession, Reply
from kagimori_hsm.commands.mfa import MfaCommands
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import binding_of

_SECRET_BYTES: Final = 30  # 40 characters of base64, as AWS's are


class _Session(msgspec.Struct, array_like=True, frozen=True):
    secret: str
    claims: bytes


_decode_session = msgspec.msgpack.Decoder(_Session).decode


class IdentityCommands:
    """One function for each command about who callers are."""

    def __init__(self, rings: Rings, mfa: MfaCommands) -> None:
        self._rings = rings
        self._mfa = mfa

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.CreateSecret: self._create_secret,
            commands.DeriveSigningKey: self._derive_signing_key,
            commands.CreateSession: self._create_session,
            commands.OpenSession: self._open_session,
            commands.SealClaims: self._seal_claims,
            commands.OpenClaims: self._open_claims,
        }

    def _create_secret(self, command: commands.CreateSecret) -> Reply:
        secret = _new_secret()
        binding = _key_binding(command.account_id, command.access_key_id)
        return NewSecret(secret, self._rings.identity().wrap(secret.encode(), binding))

    def _derive_signing_key(self, command: commands.DeriveSigningKey) -> Reply:
        binding = _key_binding(command.account_id, command.access_key_id)
        secret = self._rings.identity().unwrap(command.sealed_secret, binding)
        return Bytes(_signing_key(secret, command.date, command.region, command.service))

    def _create_session(self, command: commands.CreateSession) -> Reply:
        taken = None if command.code is None else self._mfa.take(command.code)
        secret = _new_secret()
        content = msgspec.msgpack.encode(_Session(secret, command.claims))
        binding = binding_of("session", command.access_key_id)
        return NewSession(secret, self._rings.identity().wrap(content, binding), taken)

    def _open_session(self, command: commands.OpenSession) -> Reply:
        binding = binding_of("session", command.access_key_id)
        session = _decode_session(self._rings.identity().unwrap(command.session_token, binding))
        secret = session.secret.encode()
        key = _signing_key(secret, command.date, command.region, command.service)
        return OpenedSession(session.claims, key)

    def _seal_claims(self, command: commands.SealClaims) -> Reply:
        binding = binding_of("claims", command.purpose)
        return Bytes(self._rings.identity().wrap(command.claims, binding))

    def _open_claims(self, command: commands.OpenClaims) -> Reply:
        binding = binding_of("claims", command.purpose)
        return Bytes(self._rings.identity().unwrap(command.sealed, binding))


def _new_secret() -> str:
    return base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def _signing_key(secret: bytes, date: str, region: str, service: str) -> bytes:
    """Return the signing key (32 bytes) for one day, region and service.

    Source: IAM User Guide, "Create a signed AWS API request", step 4.
    """
    key = b"AWS4" + secret
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _key_binding(account_id: str, access_key_id: str) -> bytes:
    return binding_of("secret access key", account_id, access_key_id)
