"""Using keys: encrypt, decrypt, sign, verify, derive. The backing key comes as a bound token.

What a key is for stands in its token, and is held here: no worker can have an RSA key sign that was
made to encrypt.
"""

import os
from collections.abc import Callable
from typing import Any, Final

from kagimori_boundary import commands
from kagimori_boundary.key_specs import KeyUsage
from kagimori_boundary.replies import Bytes, Encapsulated, NewDataKey, NewKeyPair, Reply
from kagimori_hsm import ciphertext
from kagimori_hsm.algorithms import dispatch, pairs, recipient
from kagimori_hsm.engines.software import BackingKey, BackingKeys

SYMMETRIC: Final = "SYMMETRIC_DEFAULT"
_DONE: Final = Bytes(b"")


class UseCommands:
    """One function for each command that uses a key, or no key at all."""

    def __init__(self, keys: BackingKeys) -> None:
        self._open = keys.open

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.Encrypt: self._encrypt,
            commands.Decrypt: self._decrypt,
            commands.ReEncrypt: self._re_encrypt,
            commands.GenerateDataKey: self._generate_data_key,
            commands.GenerateDataKeyPair: self._generate_data_key_pair,
            commands.GenerateRandom: self._generate_random,
            commands.Sign: self._sign,
            commands.Verify: self._verify,
            commands.GenerateMac: self._generate_mac,
            commands.VerifyMac: self._verify_mac,
            commands.DeriveSharedSecret: self._derive_shared_secret,
            commands.Encapsulate: self._encapsulate,
            commands.Decapsulate: self._decapsulate,
        }

    def _encrypt(self, command: commands.Encrypt) -> Reply:
        key = self._open(command.bound_token)
        context = command.encryption_context
        return Bytes(_encrypted(key, command.algorithm, command.plaintext, context))

    def _decrypt(self, command: commands.Decrypt) -> Reply:
        key = self._open(command.bound_token)
        context = command.encryption_context
        plaintext = _decrypted(key, command.algorithm, command.ciphertext, context)
        return Bytes(_for(command.recipient, plaintext))

    def _re_encrypt(self, command: commands.ReEncrypt) -> Reply:
        source, destination = self._open(command.source), self._open(command.destination)
        plaintext = _decrypted(
            source, command.source_algorithm, command.ciphertext, command.source_encryption_context
        )
        context = command.destination_encryption_context
        return Bytes(_encrypted(destination, command.destination_algorithm, plaintext, context))

    def _generate_data_key(self, command: commands.GenerateDataKey) -> Reply:
        key = self._open(command.bound_token)
        key.check(KeyUsage.ENCRYPT_DECRYPT, SYMMETRIC)
        data_key = os.urandom(command.number_of_bytes)
        blob = ciphertext.seal(key, data_key, command.encryption_context)
        plain = _for(command.recipient, data_key) if command.with_plaintext else b""
        return NewDataKey(plain, blob)

    def _generate_data_key_pair(self, command: commands.GenerateDataKeyPair) -> Reply:
        key = self._open(command.bound_token)
        key.check(KeyUsage.ENCRYPT_DECRYPT, SYMMETRIC)
        private_key, public_key = pairs.generate_pair(command.key_pair_spec)
        blob = ciphertext.seal(key, private_key, command.encryption_context)
        plain = _for(command.recipient, private_key) if command.with_plaintext else b""
        return NewKeyPair(plain, blob, public_key)

    def _generate_random(self, command: commands.GenerateRandom) -> Reply:
        return Bytes(_for(command.recipient, os.urandom(command.number_of_bytes)))

    def _sign(self, command: commands.Sign) -> Reply:
        key = self._open(command.bound_token)
        key.check(KeyUsage.SIGN_VERIFY, command.algorithm)
        return Bytes(
            dispatch.sign(
                key.key_spec,
                key.load(),
                command.algorithm,
                command.message_type,
                command.message,
            )
        )

    def _verify(self, command: commands.Verify) -> Reply:
        key = self._open(command.bound_token)
        key.check(KeyUsage.SIGN_VERIFY, command.algorithm)
        dispatch.verify(
            key.key_spec,
            key.load(),
            command.algorithm,
            command.message_type,
            command.message,
            command.signature,
        )
        return _DONE

    def _generate_mac(self, command: commands.GenerateMac) -> Reply:
        key = self._open(command.bound_token)
        key.check(KeyUsage.GENERATE_VERIFY_MAC, command.algorithm)
        algorithm, message = command.algorithm, command.message
        return Bytes(dispatch.generate_mac(key.key_spec, key.load(), algorithm, message))

    def _verify_mac(self, command: commands.VerifyMac) -> Reply:
        key = self._open(command.bound_token)
        key.check(KeyUsage.GENERATE_VERIFY_MAC, command.algorithm)
        algorithm, message = command.algorithm, command.message
        dispatch.verify_mac(key.key_spec, key.load(), algorithm, message, command.mac)
        return _DONE

    def _derive_shared_secret(self, command: commands.DeriveSharedSecret) -> Reply:
        key = self._open(command.bound_token)
        key.check(KeyUsage.KEY_AGREEMENT, command.algorithm)
        secret = dispatch.derive(key.key_spec, key.load(), command.algorithm, command.public_key)
        return Bytes(_for(command.recipient, secret))

    def _encapsulate(self, command: commands.Encapsulate) -> Reply:
        key = self._open(command.bound_token)
        key.check(KeyUsage.ENCAPSULATE_DECAPSULATE, command.algorithm)
        return Encapsulated(*dispatch.encapsulate(key.key_spec, key.load(), command.algorithm))

    def _decapsulate(self, command: commands.Decapsulate) -> Reply:
        key = self._open(command.bound_token)
        key.check(KeyUsage.ENCAPSULATE_DECAPSULATE, command.algorithm)
        algorithm, blob = command.algorithm, command.ciphertext
        return Bytes(dispatch.decapsulate(key.key_spec, key.load(), algorithm, blob))


def _encrypted(
    key: BackingKey, algorithm: str, plaintext: bytes, encryption_context: dict[str, str]
) -> bytes:
    key.check(KeyUsage.ENCRYPT_DECRYPT, algorithm)
    if algorithm == SYMMETRIC:
        return ciphertext.seal(key, plaintext, encryption_context)
    return dispatch.encrypt_asymmetric(key.key_spec, key.load(), algorithm, plaintext)


def _decrypted(
    key: BackingKey, algorithm: str, blob: bytes, encryption_context: dict[str, str]
) -> bytes:
    key.check(KeyUsage.ENCRYPT_DECRYPT, algorithm)
    if algorithm == SYMMETRIC:
        return ciphertext.open_sealed(key, blob, encryption_context)
    return dispatch.decrypt_asymmetric(key.key_spec, key.load(), algorithm, blob)


def _for(recipient_public_key: bytes, secret: bytes) -> bytes:
    """Return the secret, or the envelope that only an attested recipient can open."""
    return recipient.envelope(recipient_public_key, secret) if recipient_public_key else secret
