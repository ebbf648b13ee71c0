"""The module: its state, and one function for each command.

Self-test, then sealed, then operational; a failed self-test is the error state and no service.
Two roles: the operator unseals and makes domains, the API worker uses keys.
"""

import os
import sys
from collections.abc import Callable
from typing import Any, Final

from kagimori_boundary import messages
from kagimori_boundary.messages import (
    IDENTITY_DOMAIN,
    PROTOCOL_VERSION,
    BoundToken,
    Bytes,
    Command,
    Failed,
    Failure,
    Greeting,
    HsmState,
    NewDataKey,
    NewKey,
    NewSecret,
    Reply,
    SealedDomains,
)
from kagimori_hsm import access_key_secrets, ciphertext
from kagimori_hsm.algorithms import dispatch, importing, known_answers
from kagimori_hsm.backing_keys import BackingKey, BackingKeys, key_identity
from kagimori_hsm.domains import Domain, SealRefused, TokenRefused, seal, unseal
from kagimori_hsm.refused import Reason, Refused

SYMMETRIC: Final = "SYMMETRIC_DEFAULT"

FAILURES: Final = {
    Reason.INVALID_CIPHERTEXT: Failure.INVALID_CIPHERTEXT,
    Reason.INVALID_SIGNATURE: Failure.INVALID_SIGNATURE,
    Reason.INVALID_MAC: Failure.INVALID_MAC,
    Reason.INCORRECT_KEY_MATERIAL: Failure.INCORRECT_KEY_MATERIAL,
    Reason.INVALID_PUBLIC_KEY: Failure.INVALID_PUBLIC_KEY,
    Reason.UNSUPPORTED: Failure.UNSUPPORTED,
    Reason.TOO_LONG: Failure.TOO_LONG,
    Reason.BAD_DIGEST_LENGTH: Failure.BAD_DIGEST_LENGTH,
}


class Module:
    """All that the HSM process holds."""

    def __init__(self, seal_key: bytes, *, memory_locked: bool) -> None:
        self.state = HsmState.SELF_TEST
        self._seal_key = seal_key
        self._memory_locked = memory_locked
        self._domains: dict[str, Domain] = {}
        self._keys = BackingKeys(self._domains)
        self._for_operator: dict[type, Callable[[Any], Reply]] = {
            messages.Hello: self._hello,
            messages.Unseal: self._unseal,
            messages.CreateDomains: self._create_domains,
            messages.CreateSecret: self._create_secret,
        }
        self._for_worker: dict[type, Callable[[Any], Reply]] = {
            messages.Encrypt: self._encrypt,
            messages.Decrypt: self._decrypt,
            messages.ReEncrypt: self._re_encrypt,
            messages.GenerateDataKey: self._generate_data_key,
            messages.GenerateRandom: self._generate_random,
            messages.GenerateKey: self._generate_key,
            messages.CreateSecret: self._create_secret,
            messages.DeriveSigningKey: self._derive_signing_key,
        }

    def self_test(self) -> None:
        """Run the known-answer tests; go on to sealed, or to the error state for good."""
        try:
            known_answers.run()
        except Exception as failure:  # noqa: BLE001 - whatever it was, the module must not serve
            self.state = HsmState.ERROR
            print(f"HSM self-test failed: {failure}", file=sys.stderr, flush=True)  # noqa: T201
        else:
            self.state = HsmState.SEALED

    def perform_for_operator(self, command: Command) -> Reply:
        return self._perform(self._for_operator, command)

    def perform_for_worker(self, command: Command) -> Reply:
        if type(command) is messages.Hello:
            return self._hello(command)
        if self.state is not HsmState.OPERATIONAL:
            return Failed(Failure.NOT_OPERATIONAL)
        return self._perform(self._for_worker, command)

    @staticmethod
    def is_slow(command: Command) -> bool:
        """Whether a command takes so long that others must not wait for it."""
        return type(command) is messages.GenerateKey and command.key_spec.startswith("RSA")

    def _perform(self, table: dict[type, Callable[[Any], Reply]], command: Command) -> Reply:
        function = table.get(type(command))
        if function is None or self.state is HsmState.ERROR:
            return Failed(Failure.MALFORMED if function is None else Failure.NOT_OPERATIONAL)
        try:
            return function(command)
        except TokenRefused:
            return Failed(Failure.TOKEN_REFUSED)
        except Refused as refused:
            return Failed(FAILURES[refused.reason])
        except SealRefused:
            return Failed(Failure.SEAL_REFUSED)
        except Exception as failure:  # noqa: BLE001
            # INVARIANT(no-secret-in-sight): the kind of failure alone; its text could hold input.
            kind = f"{type(command).__name__}: {type(failure).__name__}"
            print(f"HSM command failed: {kind}", file=sys.stderr, flush=True)  # noqa: T201
            return Failed(Failure.INTERNAL)

    # --- the operator's ----------------------------------------------------------------------

    def _hello(self, _: messages.Hello) -> Reply:
        return Greeting(PROTOCOL_VERSION, self.state, sorted(self._domains), self._memory_locked)

    def _unseal(self, command: messages.Unseal) -> Reply:
        self._domains.update(unseal(command.sealed_domains, self._seal_key))
        self.state = HsmState.OPERATIONAL
        return self._hello(messages.Hello(PROTOCOL_VERSION))

    def _create_domains(self, command: messages.CreateDomains) -> Reply:
        for name in command.names:
            if name not in self._domains:
                self._domains[name] = Domain.create()
        self.state = HsmState.OPERATIONAL
        return SealedDomains(seal(self._domains, self._seal_key))

    # --- the worker's ------------------------------------------------------------------------

    def _encrypt(self, command: messages.Encrypt) -> Reply:
        key = self._keys.open(command.bound_token)
        context = command.encryption_context
        return Bytes(_encrypted(key, command.algorithm, command.plaintext, context))

    def _decrypt(self, command: messages.Decrypt) -> Reply:
        key = self._keys.open(command.bound_token)
        context = command.encryption_context
        return Bytes(_decrypted(key, command.algorithm, command.ciphertext, context))

    def _re_encrypt(self, command: messages.ReEncrypt) -> Reply:
        source = self._keys.open(command.source)
        destination = self._keys.open(command.destination)
        plaintext = _decrypted(
            source, command.source_algorithm, command.ciphertext, command.source_encryption_context
        )
        context = command.destination_encryption_context
        return Bytes(_encrypted(destination, command.destination_algorithm, plaintext, context))

    def _generate_data_key(self, command: messages.GenerateDataKey) -> Reply:
        key = self._keys.open(command.bound_token)
        data_key = os.urandom(command.number_of_bytes)
        blob = ciphertext.seal(key, data_key, command.encryption_context)
        return NewDataKey(data_key if command.with_plaintext else b"", blob)

    def _generate_random(self, command: messages.GenerateRandom) -> Reply:
        return Bytes(os.urandom(command.number_of_bytes))

    def _generate_key(self, command: messages.GenerateKey) -> Reply:
        material = dispatch.generate(command.key_spec)
        identity = key_identity(command.account_id, command.key_id)
        material_id = importing.material_id(material, identity)
        bound = BoundToken(
            command.account_id,
            command.region,
            command.key_id,
            command.key_spec,
            command.key_usage,
            command.origin,
            material_id,
            b"",
        )
        return NewKey(material_id, self._keys.wrap(bound, material), b"")

    def _create_secret(self, command: messages.CreateSecret) -> Reply:
        domain = self._identity_domain()
        account_id, access_key_id = command.account_id, command.access_key_id
        return NewSecret(*access_key_secrets.create(domain, account_id, access_key_id))

    def _derive_signing_key(self, command: messages.DeriveSigningKey) -> Reply:
        return Bytes(
            access_key_secrets.signing_key(
                self._identity_domain(),
                account_id=command.account_id,
                access_key_id=command.access_key_id,
                sealed_secret=command.sealed_secret,
                date=command.date,
                region=command.region,
                service=command.service,
            )
        )

    def _identity_domain(self) -> Domain:
        domain = self._domains.get(IDENTITY_DOMAIN)
        if domain is None:
            raise TokenRefused
        return domain


def _encrypted(
    key: BackingKey, algorithm: str, plaintext: bytes, encryption_context: dict[str, str]
) -> bytes:
    if algorithm == SYMMETRIC:
        return ciphertext.seal(key, plaintext, encryption_context)
    return dispatch.encrypt_asymmetric(key.key_spec, key.load(), algorithm, plaintext)


def _decrypted(
    key: BackingKey, algorithm: str, blob: bytes, encryption_context: dict[str, str]
) -> bytes:
    if algorithm == SYMMETRIC:
        return ciphertext.open_sealed(key, blob, encryption_context)
    return dispatch.decrypt_asymmetric(key.key_spec, key.load(), algorithm, blob)
