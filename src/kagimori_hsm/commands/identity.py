"""Secrets of identities: secret access keys, session tokens, claims that clients carry sealed.

What is made here is held to the rules of `minting.py` and written into the HSM's own journal.
"""

import base64
import hmac
import os
import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec

from kagimori_boundary import commands
from kagimori_boundary.commands.identity import (
    ROOT_HOLDER,
    UNKNOWN_HOLDER,
    AccessKeyProof,
    Proof,
)
from kagimori_boundary.replies import Bytes, NewSecret, NewSession, OpenedSession, Reply
from kagimori_hsm.commands.mfa import MfaCommands
from kagimori_hsm.journal import Journal
from kagimori_hsm.minting import (
    Asker,
    check_operator,
    check_scope_date,
    check_secret,
    check_session,
    is_for_service,
)
from kagimori_hsm.rates import Rate
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import ExpiredToken, binding_of
from kagimori_hsm.world import World

_FIRST_ACCOUNT, _ACCOUNTS = 100_000_000_000, 900_000_000_000  # 12 digits, the first not zero
_SECRET_BYTES: Final = 30  # 40 characters of base64, as AWS's are
# Permits at once and for each second. One access key has a signing key for each region, service,
# day and worker; web identity asks with no access key, and is counted by the role's account.
DERIVATIONS_EACH: Final = (512.0, 4.0)
DERIVATIONS_TOTAL: Final = (20_000.0, 500.0)
WEB_IDENTITIES_EACH: Final = (200.0, 20.0)
WEB_IDENTITIES_TOTAL: Final = (1_000.0, 100.0)
# Access keys of new accounts and services, for the operators of the deployment.
OPERATORS_SECRETS: Final = (1_000.0, 1.0)


class _Session(msgspec.Struct, array_like=True, frozen=True):
    """The sealed content of a session token; the claims are the worker's."""

    secret: str
    kind: str
    account_id: str
    principal_id: str
    issued_at: int
    expires_at: int
    asked_by: str
    claims: bytes


_decode_session = msgspec.msgpack.Decoder(_Session).decode


class IdentityCommands:
    """One function for each command about who callers are."""

    def __init__(self, rings: Rings, mfa: MfaCommands, journal: Journal, world: World) -> None:
        self._rings = rings
        self._mfa = mfa
        self._journal = journal
        self._world = world
        clock = world.monotonic
        self._derivations = Rate(each=DERIVATIONS_EACH, total=DERIVATIONS_TOTAL, monotonic=clock)
        self._web_identities = Rate(
            each=WEB_IDENTITIES_EACH, total=WEB_IDENTITIES_TOTAL, monotonic=clock
        )
        self._operators_secrets = Rate(
            each=OPERATORS_SECRETS, total=OPERATORS_SECRETS, monotonic=clock
        )

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.CreateSecret: self._create_secret,
            commands.CreateSecretOnBehalf: self._create_secret_on_behalf,
            commands.CreateAccountSecret: self._create_account_secret,
            commands.DeriveSigningKey: self._derive_signing_key,
            commands.CreateSession: self._create_session,
            commands.OpenSession: self._open_session,
            commands.SealClaims: self._seal_claims,
            commands.OpenClaims: self._open_claims,
        }

    def _create_secret(self, command: commands.CreateSecret) -> Reply:
        return self._new_secret(command.account_id, command.access_key_id, command.holder)

    def _create_secret_on_behalf(self, command: commands.CreateSecretOnBehalf) -> Reply:
        asker = self.asker(command.proof)
        if asker is not None:
            if is_for_service(command):
                self._check_operator(asker)
            else:
                check_secret(command, asker)
        elif not self._world.dev:
            raise Refused(Reason.FORBIDDEN)
        return self._minted(command.account_id, command.access_key_id, command.holder, asker)

    def _create_account_secret(self, command: commands.CreateAccountSecret) -> Reply:
        asker = self.asker(command.proof)
        if asker is not None:
            self._check_operator(asker)
        elif not self._world.dev:
            raise Refused(Reason.FORBIDDEN)
        account_id = str(_FIRST_ACCOUNT + secrets.randbelow(_ACCOUNTS))
        made = self._minted(account_id, command.access_key_id, ROOT_HOLDER, asker)
        return msgspec.structs.replace(made, account_id=account_id)

    def _check_operator(self, asker: Asker) -> None:
        operators = self._rings.operator_account_id
        check_operator(asker, operators)
        if not self._operators_secrets.allows(operators):
            raise Refused(Reason.TOO_OFTEN)

    def _minted(
        self, account_id: str, access_key_id: str, holder: str, asker: Asker | None
    ) -> NewSecret:
        """Return a new secret, which is in the journal before the answer leaves."""
        self._journal.add(
            {
                "made": "secret access key",
                "at": self._world.now(),
                "accessKeyId": access_key_id,
                "accountId": account_id,
                "principalId": holder,
                "askedBy": asker.access_key_id if asker is not None else "",
            }
        )
        return self._new_secret(account_id, access_key_id, holder)

    def _new_secret(self, account_id: str, access_key_id: str, holder: str) -> NewSecret:
        secret = _drawn_secret()
        binding = secret_binding(account_id, access_key_id, holder)
        return NewSecret(secret, self._rings.identity().wrap(secret.encode(), binding))

    def _derive_signing_key(self, command: commands.DeriveSigningKey) -> Reply:
        check_scope_date(command.date, command.service, self._world.now())
        binding = secret_binding(command.account_id, command.access_key_id, command.holder)
        secret = self._rings.identity().unwrap(command.sealed_secret, binding)
        self._count_derivation(command.access_key_id)
        return Bytes(signing_key(secret, command.date, command.region, command.service))

    def _create_session(self, command: commands.CreateSession) -> Reply:
        asker = self.asker(command.proof)
        if asker is not None or not self._world.dev:
            check_session(command, asker, None if self._world.dev else self._world.now())
        if asker is None and not self._web_identities.allows(command.account_id):
            raise Refused(Reason.TOO_OFTEN)
        taken = None if command.code is None else self._mfa.take(command.code)
        made = self.mint(command, asker.access_key_id if asker is not None else "")
        return msgspec.structs.replace(made, taken=taken)

    def mint(self, command: commands.CreateSession, asked_by: str) -> NewSession:
        """Return a session that may be, which is in the journal before the answer leaves."""
        session = _Session(
            _drawn_secret(),
            command.kind,
            command.account_id,
            command.principal_id,
            command.issued_at,
            command.expires_at,
            asked_by,
            command.claims,
        )
        self._journal.add(
            {
                "made": "session",
                "at": self._world.now(),
                "accessKeyId": command.access_key_id,
                "kind": command.kind,
                "accountId": command.account_id,
                "principalId": command.principal_id,
                "issuedAt": command.issued_at,
                "expiresAt": command.expires_at,
                "askedBy": asked_by,
            }
        )
        sealed = self._rings.identity().wrap(
            msgspec.msgpack.encode(session), _session_binding(command.access_key_id)
        )
        return NewSession(session.secret, sealed)

    def _open_session(self, command: commands.OpenSession) -> Reply:
        check_scope_date(command.date, command.service, self._world.now())
        session = self._session(command.access_key_id, command.session_token)
        self._count_derivation(command.access_key_id)
        secret = session.secret.encode()
        key = signing_key(secret, command.date, command.region, command.service)
        return OpenedSession(
            session.kind,
            session.account_id,
            session.principal_id,
            session.issued_at,
            session.expires_at,
            session.claims,
            key,
        )

    def _seal_claims(self, command: commands.SealClaims) -> Reply:
        binding = binding_of("claims", command.purpose)
        return Bytes(self._rings.identity().wrap(command.claims, binding))

    def _open_claims(self, command: commands.OpenClaims) -> Reply:
        binding = binding_of("claims", command.purpose)
        return Bytes(self._rings.identity().unwrap(command.sealed, binding))

    def asker(self, proof: Proof | None) -> Asker | None:
        """Return on whose behalf a worker asks; None if it proves nothing.

        Raises:
            TokenRefused, ExpiredToken: what is shown does not open.
        """
        if proof is None:
            return None
        if isinstance(proof, AccessKeyProof):
            binding = secret_binding(proof.account_id, proof.access_key_id, proof.holder)
            self._rings.identity().unwrap(proof.sealed_secret, binding)
            return Asker(proof.account_id, proof.access_key_id, proof.holder)
        session = self._session(proof.access_key_id, proof.session_token)
        return Asker(session.account_id, proof.access_key_id, session.principal_id, session.kind)

    def _session(self, access_key_id: str, token: bytes) -> _Session:
        """Return the content of a session token.

        Raises:
            TokenRefused: it does not open.
            ExpiredToken: the session is over. `dev` leaves this to its clock that moves.
        """
        content = self._rings.identity().unwrap(token, _session_binding(access_key_id))
        session = _decode_session(content)
        if not self._world.dev and self._world.now() >= session.expires_at:
            raise ExpiredToken
        return session

    def _count_derivation(self, access_key_id: str) -> None:
        if not self._derivations.allows(access_key_id):
            raise Refused(Reason.TOO_OFTEN)


def _drawn_secret() -> str:
    return base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def signing_key(secret: bytes, date: str, region: str, service: str) -> bytes:
    """Return the signing key (32 bytes) for one day, region and service.

    Source: IAM User Guide, "Create a signed AWS API request", step 4.
    """
    key = b"AWS4" + secret
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def secret_binding(account_id: str, access_key_id: str, holder: str) -> bytes:
    """Return the binding of an access key's sealed secret."""
    if holder == UNKNOWN_HOLDER:  # as it was before holders were sealed with their access keys
        return binding_of("secret access key", account_id, access_key_id)
    return binding_of("secret access key of", account_id, access_key_id, holder)


def _session_binding(access_key_id: str) -> bytes:
    return binding_of("session, held to rules", access_key_id)
