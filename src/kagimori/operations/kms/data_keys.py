"""Data keys and random bytes, made in the HSM for the caller."""

from typing import Any, ClassVar, Final

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.recipient import recipient_key
from kagimori.operations.kms.cryptographic import Cryptographic, current_token
from kagimori.operations.kms.encryption import material_used
from kagimori.operations.kms.on_key import KeyFacts
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.key_stores.refusals import CustomKeyStoreNotFoundException
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.keys.usage import check_algorithm
from kagimori.rules.refusal import ValidationException
from kagimori_boundary import commands
from kagimori_boundary.commands import Command
from kagimori_boundary.key_specs import KeyUsage
from kagimori_boundary.replies import Bytes, NewDataKey

_BYTES_OF_SPEC: Final = {"AES_256": 32, "AES_128": 16}


class GenerateDataKey(Cryptographic[NewDataKey]):
    takes_context = True
    with_plaintext: ClassVar[bool] = True

    def check(self, asked: Request, kms_key: KmsKey) -> None:
        given = asked.call.input
        if (given.KeySpec is None) == (given.NumberOfBytes is None):
            raise ValidationException("Please specify either number of bytes or key spec.")
        check_algorithm(kms_key, KeyUsage.ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT)

    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        given = asked.call.input
        recipient = recipient_key(asked, given.Recipient) if self.with_plaintext else b""
        return commands.GenerateDataKey(
            current_token(kms_key),
            given.NumberOfBytes or _BYTES_OF_SPEC[given.KeySpec],
            given.EncryptionContext or {},
            self.with_plaintext,
            recipient,
        )

    def finish(self, asked: Request, facts: KeyFacts, reply: NewDataKey) -> Outcome:
        kms_key = facts.kms_key
        answer: dict[str, Any] = {
            "CiphertextBlob": reply.ciphertext,
            "KeyId": kms_key.arn,
        }
        if self.with_plaintext and asked.call.input.Recipient is not None:
            answer["CiphertextForRecipient"] = reply.plaintext
        else:
            answer["KeyMaterialId"] = kms_key.current_material_id or ""
            if self.with_plaintext:
                answer["Plaintext"] = reply.plaintext
        return Outcome(answer, additional=material_used(kms_key, kms_key.current_material_id))


class GenerateDataKeyWithoutPlaintext(GenerateDataKey):
    with_plaintext = False


class GenerateRandom(Operation[Facts, Bytes]):
    read_only = True

    def look_up(self, asked: Asked) -> Facts:
        return Facts((Need("kms:GenerateRandom"),))

    def ask(self, asked: Request, allowed: Allowed, facts: Facts) -> Command | None:
        given = asked.call.input
        if given.NumberOfBytes is None:
            raise ValidationException("NumberOfBytes is required.")
        if given.CustomKeyStoreId is not None:
            raise CustomKeyStoreNotFoundException(
                f"Custom key store {given.CustomKeyStoreId} does not exist"
            )
        recipient = recipient_key(asked, given.Recipient)
        return commands.GenerateRandom(given.NumberOfBytes, recipient)

    def finish(self, asked: Request, facts: Facts, reply: Bytes) -> Outcome:
        attested = asked.call.input.Recipient is not None
        return Outcome({"CiphertextForRecipient" if attested else "Plaintext": reply.value})
