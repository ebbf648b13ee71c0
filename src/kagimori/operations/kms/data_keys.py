"""Data keys and random bytes, made in the HSM for the caller."""

from typing import Any, ClassVar, Final

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.recipient import recipient_key
from kagimori.operations.kms.cryptographic import Cryptographic, current_token
from kagimori.operations.kms.encryption import material_used
from kagimori.operations.kms.held_outside import purpose_of
from kagimori.operations.kms.key_stores import key_store_named
from kagimori.operations.kms.on_key import KeyFacts
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Outside, Place
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.key_stores.states import check_connection
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.keys.usage import check_algorithm
from kagimori.rules.refusal import UnsupportedOperationException, ValidationException
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
            if kms_key.shown_material_id is not None:
                answer["KeyMaterialId"] = kms_key.shown_material_id
            if self.with_plaintext:
                answer["Plaintext"] = reply.plaintext
        return Outcome(answer, additional=material_used(kms_key, kms_key.current_material_id))


class GenerateDataKeyWithoutPlaintext(GenerateDataKey):
    with_plaintext = False


class FromWhere(Facts):
    """`store` is the custom key store whose cluster draws; None for our own HSM."""

    store: CustomKeyStore | None = None


class GenerateRandom(Operation[FromWhere, Bytes]):
    read_only = True

    def look_up(self, asked: Asked) -> FromWhere:
        return FromWhere((Need("kms:GenerateRandom"),))

    def read(self, asked: Asked, facts: FromWhere) -> FromWhere:
        key_store_id = asked.call.input.CustomKeyStoreId
        if key_store_id is None:
            return facts
        store = key_store_named(asked, key_store_id)
        outside = Outside(purpose_of(asked), Place(store))
        return FromWhere(facts.needs, outside=outside, store=store)

    def ask(self, asked: Request, allowed: Allowed, facts: FromWhere) -> Command | None:
        given, store = asked.call.input, facts.store
        if given.NumberOfBytes is None:
            raise ValidationException("NumberOfBytes is required.")
        if store is not None:
            if store.is_external:
                raise UnsupportedOperationException(
                    f"Custom key store {store.key_store_id} is an external key store, which is "
                    "not valid for this operation."
                )
            check_connection(self.name, store.state, store.key_store_id)
        recipient = recipient_key(asked, given.Recipient)
        return commands.GenerateRandom(given.NumberOfBytes, recipient)

    def finish(self, asked: Request, facts: FromWhere, reply: Bytes) -> Outcome:
        attested = asked.call.input.Recipient is not None
        return Outcome({"CiphertextForRecipient" if attested else "Plaintext": reply.value})
