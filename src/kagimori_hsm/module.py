"""The module: its state, and what each of its two roles may ask.

Self-test, then sealed, then operational; a failed self-test is the error state and no service.
The operator unseals and makes domains, the API worker uses keys.
"""

import sys
from collections.abc import Callable
from typing import Any, Final

from kagimori_boundary import audit_messages, identity_messages, messages
from kagimori_boundary.messages import (
    PROTOCOL_VERSION,
    Command,
    Failed,
    Failure,
    Greeting,
    HsmState,
    Reply,
    SealedDomains,
)
from kagimori_boundary.sign_in_messages import HashPassword
from kagimori_hsm.algorithms import known_answers, rsa
from kagimori_hsm.backing_keys import BackingKeys
from kagimori_hsm.commands.audit import AuditCommands
from kagimori_hsm.commands.identity import IdentityCommands
from kagimori_hsm.commands.keep import ExpiredToken, KeepCommands
from kagimori_hsm.commands.mfa import MfaCommands
from kagimori_hsm.commands.passwords import Passwords
from kagimori_hsm.commands.use import UseCommands
from kagimori_hsm.domains import Domain, SealRefused, TokenRefused, seal, unseal
from kagimori_hsm.refused import Reason, Refused

FAILURES: Final = {
    Reason.INVALID_CIPHERTEXT: Failure.INVALID_CIPHERTEXT,
    Reason.INVALID_SIGNATURE: Failure.INVALID_SIGNATURE,
    Reason.INVALID_MAC: Failure.INVALID_MAC,
    Reason.INCORRECT_KEY_MATERIAL: Failure.INCORRECT_KEY_MATERIAL,
    Reason.INVALID_PUBLIC_KEY: Failure.INVALID_PUBLIC_KEY,
    Reason.UNSUPPORTED: Failure.UNSUPPORTED,
    Reason.TOO_LONG: Failure.TOO_LONG,
    Reason.BAD_DIGEST_LENGTH: Failure.BAD_DIGEST_LENGTH,
    Reason.INCORRECT_PASSWORD: Failure.INCORRECT_PASSWORD,
    Reason.USED_PASSWORD: Failure.USED_PASSWORD,
    Reason.INVALID_CODE: Failure.INVALID_CODE,
    Reason.INVALID_CODES: Failure.INVALID_CODES,
}
# Tokens that clients carry: when they do not open, the client is told so.
_CARRIED: Final = (
    messages.ImportMaterial,
    identity_messages.OpenSession,
    identity_messages.OpenClaims,
)


class Module:
    """All that the HSM process holds."""

    def __init__(
        self,
        seal_key: bytes,
        *,
        memory_locked: bool,
        takes_given_material: bool = False,
        is_valid_rsa_pair: Callable[[bytes], bool] = rsa.is_valid_pair,
    ) -> None:
        self.state = HsmState.SELF_TEST
        self._seal_key = seal_key
        self._memory_locked = memory_locked
        self._domains: dict[str, Domain] = {}
        keys = BackingKeys(self._domains)
        mfa = MfaCommands(self._domains)
        identity = IdentityCommands(self._domains, mfa)
        keep = KeepCommands(keys, self._domains, is_valid_rsa_pair)
        self._for_operator: dict[type, Callable[[Any], Reply]] = {
            messages.Hello: self._hello,
            messages.Unseal: self._unseal,
            messages.CreateDomains: self._create_domains,
            identity_messages.CreateSecret: identity.create_secret,
            identity_messages.SealClaims: identity.seal_claims,
            **AuditCommands(self._domains).functions(),
        }
        self._for_worker: dict[type, Callable[[Any], Reply]] = {
            **UseCommands(keys).functions(),
            **keep.functions(),
            **identity.functions(),
            **mfa.functions(),
            HashPassword: Passwords(self._domains).hash,
        }
        if takes_given_material:
            # For `dev` alone: elsewhere nobody may plant a key that they know.
            self._for_operator[messages.StoreMaterial] = keep.store
            self._for_worker[messages.StoreMaterial] = keep.store

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
        if isinstance(command, messages.GenerateKey):
            return command.key_spec.startswith("RSA")
        if isinstance(command, messages.GenerateDataKeyPair):
            return command.key_pair_spec.startswith("RSA")
        return isinstance(
            command,
            messages.CreateImportParameters
            | messages.ImportMaterial
            | messages.StoreMaterial
            | audit_messages.CreateAuditKey
            | HashPassword,
        )

    def _perform(self, table: dict[type, Callable[[Any], Reply]], command: Command) -> Reply:
        function = table.get(type(command))
        if function is None or self.state is HsmState.ERROR:
            return Failed(Failure.MALFORMED if function is None else Failure.NOT_OPERATIONAL)
        try:
            return function(command)
        except TokenRefused:
            carried = isinstance(command, _CARRIED)
            return Failed(Failure.INVALID_TOKEN if carried else Failure.TOKEN_REFUSED)
        except Refused as refused:
            return Failed(FAILURES[refused.reason])
        except ExpiredToken:
            return Failed(Failure.EXPIRED_TOKEN)
        except SealRefused:
            return Failed(Failure.SEAL_REFUSED)
        except Exception as failure:  # noqa: BLE001
            # INVARIANT(no-secret-in-sight): the kind of failure alone; its text could hold input.
            kind = f"{type(command).__name__}: {type(failure).__name__}"
            print(f"HSM command failed: {kind}", file=sys.stderr, flush=True)  # noqa: T201
            return Failed(Failure.INTERNAL)

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
