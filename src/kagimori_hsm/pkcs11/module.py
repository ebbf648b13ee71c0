"""Performs the commands of a token process: which it takes, from whom, and what each does.

Nothing here waits for anything but the token. One thread alone may call `perform`.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken, HsmCommand, Role
from kagimori_boundary.commands.token import (
    TOKEN_MARK,
    ConnectToken,
    DestroyTokenKey,
    UnwrapSecret,
    WrapSecret,
)
from kagimori_boundary.key_specs import KeyUsage
from kagimori_boundary.replies import (
    Bytes,
    Failed,
    Failure,
    NewDataKey,
    NewKey,
    Reply,
    TokenConnection,
)
from kagimori_hsm.algorithms import recipient
from kagimori_hsm.engines.pkcs11 import TokenKeys
from kagimori_hsm.engines.token_connection import TokenConnection as Connection
from kagimori_hsm.engines.token_errors import INVALID_CREDENTIALS
from kagimori_hsm.pkcs11 import ciphertext, wrapping
from kagimori_hsm.refused import Reason, Refused

SYMMETRIC: Final = "SYMMETRIC_DEFAULT"
ORIGIN: Final = "AWS_CLOUDHSM"
MATERIAL_ID_BYTES: Final = 32

_decode_bound_token = msgspec.msgpack.Decoder(BoundToken).decode


def bound_in(bound_token: bytes) -> BoundToken:
    """Return the binding of a key in a token.

    Raises:
        Refused: FORBIDDEN, it is of no such key.
    """
    try:
        bound: BoundToken = _decode_bound_token(bound_token)
    except ValueError:
        raise Refused(Reason.FORBIDDEN) from None
    if (
        bound.origin != ORIGIN
        or bound.key_token != TOKEN_MARK
        or bound.key_spec != SYMMETRIC
        or bound.key_usage != KeyUsage.ENCRYPT_DECRYPT
        or len(bound.material_id) != MATERIAL_ID_BYTES
    ):
        raise Refused(Reason.FORBIDDEN)
    return bound


class TokenModule:
    """One function for each command that a token performs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._keys = TokenKeys(connection)
        self._functions: Mapping[type[HsmCommand], Callable[[Any], Reply]] = {
            commands.GenerateKey: self._generate_key,
            commands.Encrypt: self._encrypt,
            commands.Decrypt: self._decrypt,
            commands.ReEncrypt: self._re_encrypt,
            commands.GenerateDataKey: self._generate_data_key,
            commands.GenerateRandom: self._generate_random,
            ConnectToken: self._connect,
            DestroyTokenKey: self._destroy,
            WrapSecret: self._wrap,
            UnwrapSecret: self._unwrap,
        }

    def perform(self, role: Role, command: HsmCommand) -> Reply:
        """Return the reply to a command; never raises."""
        function = self._functions.get(type(command))
        if function is None or role not in command.roles:
            return Failed(Failure.MALFORMED)
        try:
            return function(command)
        except Refused as refused:
            return Failed(Failure[refused.reason.name])
        except Exception as failure:  # noqa: BLE001
            # INVARIANT(no-secret-in-sight): the kind of failure alone; its text could hold input.
            kind = f"{type(command).__name__}: {type(failure).__name__}"
            print(f"token command failed: {kind}", file=sys.stderr, flush=True)  # noqa: T201
            return Failed(Failure.INTERNAL)

    def check(self) -> None:
        """Notice a token that went away, and connect to one that has come back."""
        self._connection.check()

    def _connect(self, command: ConnectToken) -> Reply:
        connection = self._connection
        if command.password and not connection.is_pin(command.password):
            return TokenConnection(INVALID_CREDENTIALS)
        connection.connect()
        return TokenConnection(connection.error, connection.label, connection.serial)

    def _generate_key(self, command: commands.GenerateKey) -> Reply:
        if (
            command.key_spec != SYMMETRIC
            or command.key_usage != KeyUsage.ENCRYPT_DECRYPT
            or command.origin != ORIGIN
            or command.replica_regions
        ):
            raise Refused(Reason.UNSUPPORTED)
        name = self._keys.make(ciphertext.label_of(command.account_id, command.key_id))
        return NewKey(name.key_id, TOKEN_MARK, b"")

    def _encrypt(self, command: commands.Encrypt) -> Reply:
        bound = _for_symmetric(command.bound_token, command.algorithm)
        context = command.encryption_context
        return Bytes(ciphertext.seal(self._keys, bound, command.plaintext, context))

    def _decrypt(self, command: commands.Decrypt) -> Reply:
        bound = _for_symmetric(command.bound_token, command.algorithm)
        context = command.encryption_context
        plaintext = ciphertext.open_sealed(self._keys, bound, command.ciphertext, context)
        return Bytes(_for(command.recipient, plaintext))

    def _re_encrypt(self, command: commands.ReEncrypt) -> Reply:
        source = _for_symmetric(command.source, command.source_algorithm)
        destination = _for_symmetric(command.destination, command.destination_algorithm)
        context = command.source_encryption_context
        plaintext = ciphertext.open_sealed(self._keys, source, command.ciphertext, context)
        context = command.destination_encryption_context
        return Bytes(ciphertext.seal(self._keys, destination, plaintext, context))

    def _generate_data_key(self, command: commands.GenerateDataKey) -> Reply:
        bound = bound_in(command.bound_token)
        data_key = self._keys.random(command.number_of_bytes)
        blob = ciphertext.seal(self._keys, bound, data_key, command.encryption_context)
        plain = _for(command.recipient, data_key) if command.with_plaintext else b""
        return NewDataKey(plain, blob)

    def _generate_random(self, command: commands.GenerateRandom) -> Reply:
        return Bytes(_for(command.recipient, self._keys.random(command.number_of_bytes)))

    def _destroy(self, command: DestroyTokenKey) -> Reply:
        self._keys.destroy(ciphertext.name_of(bound_in(command.bound_token)))
        return Bytes(b"")

    def _wrap(self, command: WrapSecret) -> Reply:
        return Bytes(wrapping.wrap(self._keys, command.purpose, command.secret))

    def _unwrap(self, command: UnwrapSecret) -> Reply:
        return Bytes(wrapping.unwrap(self._keys, command.purpose, command.wrapped))


def _for_symmetric(bound_token: bytes, algorithm: str) -> BoundToken:
    if algorithm != SYMMETRIC:
        raise Refused(Reason.FORBIDDEN)
    return bound_in(bound_token)


def _for(recipient_public_key: bytes, secret: bytes) -> bytes:
    """Return the secret, or the envelope that only an attested recipient can open."""
    return recipient.envelope(recipient_public_key, secret) if recipient_public_key else secret
