"""Encrypt, Decrypt and ReEncrypt."""

from typing import Any

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.recipient import recipient_key
from kagimori.operations.kms.ciphertext_refs import key_for_decryption, refuse_wrong_key
from kagimori.operations.kms.cryptographic import (
    Cryptographic,
    check_dry_run,
    check_ready,
    checked_context,
    current_token,
    encryption_algorithm,
)
from kagimori.operations.kms.held_outside import outside_of, used_in_store
from kagimori.operations.kms.key_refs import key_named
from kagimori.operations.kms.on_key import KeyFacts
from kagimori.operations.operation import Operation, Outcome
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.keys.symmetric_ciphertext import plaintext_bytes_of
from kagimori.rules.keys.usage import check_plaintext_size, plaintext_too_long
from kagimori.rules.refusal import KMSInternalException, Refusal, ValidationException
from kagimori_boundary import commands
from kagimori_boundary.commands import Command
from kagimori_boundary.key_specs import KeyUsage
from kagimori_boundary.replies import Bytes, Failure


class Encrypt(Cryptographic[Bytes]):
    takes_context = True

    def check(self, asked: Request, kms_key: KmsKey) -> None:
        given = asked.call.input
        algorithm = encryption_algorithm(given.EncryptionAlgorithm, kms_key)
        if algorithm != SYMMETRIC_DEFAULT:
            check_no_context(given.EncryptionContext)
            check_plaintext_size(kms_key, algorithm, len(given.Plaintext))

    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        given = asked.call.input
        return commands.Encrypt(
            current_token(kms_key),
            given.EncryptionAlgorithm or SYMMETRIC_DEFAULT,
            given.Plaintext,
            given.EncryptionContext or {},
        )

    def finish(self, asked: Request, facts: KeyFacts, reply: Bytes) -> Outcome:
        kms_key = facts.kms_key
        answer = {
            "CiphertextBlob": reply.value,
            "KeyId": kms_key.arn,
            "EncryptionAlgorithm": asked.call.input.EncryptionAlgorithm or SYMMETRIC_DEFAULT,
        }
        return Outcome(answer, additional=material_used(kms_key, kms_key.current_material_id))


class Decryption(KeyFacts):
    """`material_id` is None for asymmetric keys; `fits` says whether the named key made it."""

    material_id: str | None = None
    fits: bool = True


class Decrypt(Operation[Decryption, Bytes]):
    read_only = True
    uses_keys = True

    def look_up(self, asked: Asked) -> Decryption:
        given = asked.call.input
        check_modifiers(given, given.KeyId)
        context = checked_context(given.EncryptionContext)
        kms_key, material_id, fits = key_for_decryption(
            asked, _judged(given), given.KeyId, given.EncryptionAlgorithm
        )
        need = Need("kms:Decrypt", kms_key, "*", context, alias_in(given.KeyId))
        return Decryption(
            (need,),
            outside=None if kms_key.custom_key_store_id is None else outside_of(asked, kms_key),
            kms_key=kms_key,
            material_id=material_id,
            fits=fits,
        )

    def ask(self, asked: Request, allowed: Allowed, facts: Decryption) -> Command | None:
        given, kms_key = asked.call.input, facts.kms_key
        if given.DryRunModifiers:  # whatever ciphertext there is, it is to be ignored
            check_dry_run(given)
        if not facts.fits:
            refuse_wrong_key(facts.material_id)
        check_ready(self.name, kms_key, KeyUsage.ENCRYPT_DECRYPT)
        algorithm = encryption_algorithm(given.EncryptionAlgorithm, kms_key)
        if algorithm != SYMMETRIC_DEFAULT:
            check_no_context(given.EncryptionContext)
        recipient = recipient_key(asked, given.Recipient)
        check_dry_run(given)
        token = decryption_token(kms_key, facts.material_id)
        context = given.EncryptionContext or {}
        return commands.Decrypt(token, algorithm, given.CiphertextBlob, context, recipient)

    def finish(self, asked: Request, facts: Decryption, reply: Bytes) -> Outcome:
        kms_key = facts.kms_key
        answer = {
            "KeyId": kms_key.arn,
            "EncryptionAlgorithm": asked.call.input.EncryptionAlgorithm or SYMMETRIC_DEFAULT,
        }
        if asked.call.input.Recipient is not None:
            answer["CiphertextForRecipient"] = reply.value
        else:
            answer["Plaintext"] = reply.value
            if facts.material_id is not None and kms_key.custom_key_store_id is None:
                answer["KeyMaterialId"] = facts.material_id
        return Outcome(answer, additional=material_used(kms_key, facts.material_id))


class ReEncryption(Decryption, kw_only=True):
    """`kms_key` is the source."""

    destination: KmsKey


class ReEncrypt(Operation[ReEncryption, Bytes]):
    read_only = True
    uses_keys = True

    def look_up(self, asked: Asked) -> ReEncryption:
        given = asked.call.input
        check_modifiers(given, given.SourceKeyId)
        source_context = checked_context(given.SourceEncryptionContext)
        context = checked_context(given.DestinationEncryptionContext)
        source, material_id, fits = key_for_decryption(
            asked,
            _judged(given),
            given.SourceKeyId,
            given.SourceEncryptionAlgorithm,
        )
        destination, ref = key_named(asked, given.DestinationKeyId)
        same = source.arn == destination.arn
        needs = (
            Need(
                "kms:ReEncryptFrom",
                source,
                encryption_context=source_context,
                alias_name=alias_in(given.SourceKeyId),
                re_encrypts_on_same_key=same,
            ),
            Need(
                "kms:ReEncryptTo",
                destination,
                encryption_context=context,
                alias_name=ref.alias_name,
                re_encrypts_on_same_key=same,
            ),
        )
        return ReEncryption(
            needs,
            outside=(
                outside_of(asked, source, destination)
                if source.custom_key_store_id or destination.custom_key_store_id
                else None
            ),
            kms_key=source,
            material_id=material_id,
            fits=fits,
            destination=destination,
        )

    def ask(self, asked: Request, allowed: Allowed, facts: ReEncryption) -> Command | None:
        given, source, destination = asked.call.input, facts.kms_key, facts.destination
        if given.DryRunModifiers:  # whatever ciphertext there is, it is to be ignored
            check_dry_run(given)
        if not facts.fits:
            refuse_wrong_key(facts.material_id)
        for kms_key in (source, destination):
            check_ready(self.name, kms_key, KeyUsage.ENCRYPT_DECRYPT)
        source_algorithm = encryption_algorithm(given.SourceEncryptionAlgorithm, source)
        algorithm = encryption_algorithm(given.DestinationEncryptionAlgorithm, destination)
        if source_algorithm != SYMMETRIC_DEFAULT:
            check_no_context(given.SourceEncryptionContext)
        if algorithm != SYMMETRIC_DEFAULT:
            check_no_context(given.DestinationEncryptionContext)
            if source_algorithm == SYMMETRIC_DEFAULT:  # the plaintext's size shows
                size = plaintext_bytes_of(given.CiphertextBlob)
                check_plaintext_size(destination, algorithm, size)
        check_dry_run(given)
        return commands.ReEncrypt(
            decryption_token(source, facts.material_id),
            source_algorithm,
            given.CiphertextBlob,
            given.SourceEncryptionContext or {},
            current_token(destination),
            algorithm,
            given.DestinationEncryptionContext or {},
        )

    def refusal(self, asked: Request, facts: ReEncryption, failure: Failure) -> Refusal:
        """Return the refusal of a plaintext whose size only the HSM could see."""
        if failure is Failure.TOO_LONG:
            algorithm = asked.call.input.DestinationEncryptionAlgorithm
            return plaintext_too_long(facts.destination, algorithm)
        return super().refusal(asked, facts, failure)

    def finish(self, asked: Request, facts: ReEncryption, reply: Bytes) -> Outcome:
        given, source, destination = asked.call.input, facts.kms_key, facts.destination
        answer: dict[str, Any] = {
            "CiphertextBlob": reply.value,
            "SourceKeyId": source.arn,
            "KeyId": destination.arn,
            "SourceEncryptionAlgorithm": given.SourceEncryptionAlgorithm or SYMMETRIC_DEFAULT,
            "DestinationEncryptionAlgorithm": (
                given.DestinationEncryptionAlgorithm or SYMMETRIC_DEFAULT
            ),
        }
        if facts.material_id is not None and source.custom_key_store_id is None:
            answer["SourceKeyMaterialId"] = facts.material_id
        if destination.shown_material_id is not None:
            answer["DestinationKeyMaterialId"] = destination.shown_material_id
        used: dict[str, Any] = {}
        if source.custom_key_store_id is not None:
            used = used_in_store(source, facts.material_id or "", "source")
        elif facts.material_id is not None:
            used["sourceKeyMaterialId"] = facts.material_id
        if destination.custom_key_store_id is not None:
            used |= used_in_store(destination, destination.current_material_id or "", "destination")
        elif destination.key_spec == SYMMETRIC_DEFAULT:
            used["destinationKeyMaterialId"] = destination.current_material_id
        return Outcome(answer, additional=used or None)


def decryption_token(kms_key: KmsKey, material_id: str | None) -> bytes:
    """Return the token of the generation that made a ciphertext; None is the only one."""
    token = kms_key.bound_tokens.get(material_id or kms_key.current_material_id or "")
    if token is None:
        raise KMSInternalException
    return token


def material_used(kms_key: KmsKey, material_id: str | None) -> dict[str, Any] | None:
    """Return the material for the record; only symmetric keys have it there.

    Of a key that a custom key store holds, it is the store and the key's name there.
    """
    if kms_key.key_spec != SYMMETRIC_DEFAULT or material_id is None:
        return None
    if kms_key.custom_key_store_id is not None:
        return used_in_store(kms_key, material_id)
    return {"keyMaterialId": material_id}


def alias_in(text: str | None) -> str | None:
    """Return the alias name in a key reference, if it is by alias."""
    if text is None or "alias/" not in text:
        return None
    return text[text.index("alias/") :]


def check_no_context(encryption_context: dict[str, str] | None) -> None:
    """Check that there is no encryption context: only symmetric encryption binds one.

    Raises:
        ValidationException: there is.
    """
    if encryption_context:
        raise ValidationException(
            "EncryptionContext is not supported for asymmetric encryption algorithms."
        )


def _judged(given: Any) -> bytes | None:
    """Return the ciphertext that is to be looked at: none, if a dry run ignores it."""
    blob: bytes | None = None if given.DryRunModifiers else given.CiphertextBlob
    return blob


def check_modifiers(given: Any, named: str | None) -> None:
    """Check that the dry-run modifiers fit the request.

    Raises:
        ValidationException: modifiers without a dry run, or no key to ask about.
    """
    if given.DryRunModifiers:
        if not given.DryRun:
            raise ValidationException("DryRunModifiers can only be specified when DryRun is true.")
        if named is None:
            raise ValidationException("A key ID is required when IGNORE_CIPHERTEXT is specified.")
    elif given.CiphertextBlob is None:
        raise ValidationException(
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy "
            "constraint: Member must not be null"
        )
