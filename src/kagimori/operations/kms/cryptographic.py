"""The base of cryptographic operations: usage, algorithm, encryption context, dry run.

Order of checks: identifier, authorization, state, usage, algorithm, size, dry run.
"""

from abc import abstractmethod
from typing import Any, ClassVar, Final

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.recipient import recipient_key
from kagimori.operations.kms.held_outside import outside_of
from kagimori.operations.kms.key_refs import key_named
from kagimori.operations.kms.on_key import AboutKey, KeyFacts
from kagimori.operations.operation import R
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.keys.states import KeyState, check_state
from kagimori.rules.keys.usage import check_algorithm, check_usage
from kagimori.rules.refusal import (
    DryRunOperationException,
    KMSInternalException,
    ValidationException,
)
from kagimori_boundary.commands import Command
from kagimori_boundary.key_specs import KeyUsage

CONTEXT_BYTES_MAX = 8192


# To look a member up in its class takes five times as long, and each request does.
_ENABLED: Final = KeyState.ENABLED


class Cryptographic(AboutKey[KeyFacts, R]):
    """An operation that uses a key; `usage` is the KeyUsage that the key must have."""

    read_only = True
    uses_keys = True
    aliases = True
    usage: ClassVar[KeyUsage] = KeyUsage.ENCRYPT_DECRYPT
    takes_context: ClassVar[bool] = False

    def look_up(self, asked: Asked) -> KeyFacts:
        given = asked.call.input
        action = f"kms:{self.name}"
        kms_key, ref = key_named(asked, given.KeyId)
        context = checked_context(given.EncryptionContext) if self.takes_context else None
        needs = (Need(action, kms_key, "*", context, ref.alias_name),)
        if kms_key.custom_key_store_id is None:
            return KeyFacts(needs, kms_key=kms_key)
        return KeyFacts(needs, outside=outside_of(asked, kms_key), kms_key=kms_key)

    def ask(self, asked: Request, allowed: Allowed, facts: KeyFacts) -> Command | None:
        kms_key = facts.kms_key
        if (
            kms_key.state is not _ENABLED
            or kms_key.key_usage != self.usage
            or kms_key.custom_key_store_id is not None
        ):
            check_ready(self.name, kms_key, self.usage)
        self.check(asked, kms_key)
        if asked.call.input.DryRun:
            recipient_key(asked, getattr(asked.call.input, "Recipient", None))
            check_dry_run(asked.call.input)
        return self.command(asked, kms_key)

    def check(self, asked: Request, kms_key: KmsKey) -> None:
        """Check algorithm and sizes."""

    @abstractmethod
    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        """Return the command for the holder of the key."""


def checked_context(encryption_context: dict[str, str] | None) -> dict[str, str]:
    """Return an encryption context; absent is empty.

    Raises:
        ValidationException: larger than what is authenticated may be.
    """
    if not encryption_context:
        return {}
    size = 0
    for key, value in encryption_context.items():
        size += len(key.encode()) + len(value.encode()) + 8
    if size > CONTEXT_BYTES_MAX:
        raise ValidationException("Invalid EncryptionContext")
    return encryption_context


def check_ready(operation: str, kms_key: KmsKey, usage: KeyUsage) -> None:
    """Check that the key may be used at all, and for this."""
    if kms_key.state is not _ENABLED or kms_key.custom_key_store_id is not None:
        check_state(operation, kms_key)
    check_usage(operation, kms_key, usage)


def check_dry_run(given: Any) -> None:
    """Go no further if only the checks were asked for.

    Raises:
        DryRunOperationException: everything until here would have succeeded.
    """
    if given.DryRun:
        raise DryRunOperationException(
            "The request would have succeeded, but the DryRun option is set."
        )


def encryption_algorithm(given: str | None, kms_key: KmsKey) -> str:
    """Return the algorithm to encrypt or decrypt with.

    Raises:
        InvalidKeyUsageException: not one of this key's spec.
    """
    algorithm = given or SYMMETRIC_DEFAULT
    if algorithm != SYMMETRIC_DEFAULT or kms_key.key_spec != SYMMETRIC_DEFAULT:
        check_algorithm(kms_key, KeyUsage.ENCRYPT_DECRYPT, algorithm)
    return algorithm


def current_token(kms_key: KmsKey) -> bytes:
    """Return the token that new output is made with; a key that is Enabled has one."""
    token = kms_key.current_token
    if token is None:
        raise KMSInternalException
    return token
