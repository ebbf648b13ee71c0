"""GetPublicKey, and data key pairs."""

from typing import Any, ClassVar

from kagimori.gate.asked import Request
from kagimori.gate.recipient import recipient_key
from kagimori.operations.kms.cryptographic import Cryptographic, current_token
from kagimori.operations.kms.encryption import material_used
from kagimori.operations.kms.on_key import KeyFacts, OnKey
from kagimori.operations.operation import Outcome
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.keys.metadata import spec_members
from kagimori.rules.keys.states import refusal_of
from kagimori.rules.keys.usage import check_algorithm, check_own
from kagimori.rules.refusal import UnsupportedOperationException
from kagimori_boundary import commands
from kagimori_boundary.commands import Command
from kagimori_boundary.key_specs import SPECS, Family, KeyUsage
from kagimori_boundary.replies import NewKeyPair


class GetPublicKey(OnKey[None]):
    read_only = True
    aliases = True

    def ask(self, asked: Request, allowed: Allowed, facts: KeyFacts) -> Command | None:
        super().ask(asked, allowed, facts)
        kms_key = facts.kms_key
        if SPECS[kms_key.key_spec].family in (Family.SYMMETRIC, Family.MAC):
            raise UnsupportedOperationException
        if kms_key.current is None:  # never imported: there is no public key yet
            raise refusal_of("s5", kms_key.state, kms_key.arn)
        return None

    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        kms_key = facts.kms_key
        current = kms_key.current
        answer = {"KeyId": kms_key.arn, "PublicKey": current.public_key if current else b""}
        return Outcome({**answer, **spec_members(kms_key)})


class GenerateDataKeyPair(Cryptographic[NewKeyPair]):
    takes_context = True
    with_plaintext: ClassVar[bool] = True

    def check(self, asked: Request, kms_key: KmsKey) -> None:
        check_algorithm(kms_key, KeyUsage.ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT)
        check_own(kms_key)
        wanted = asked.call.input.KeyPairSpec
        if wanted not in SPECS or not SPECS[wanted].data_key_pair:
            raise UnsupportedOperationException(
                f"KeyPairSpec {wanted} is not supported in this Region."
            )

    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        given = asked.call.input
        recipient = recipient_key(asked, given.Recipient) if self.with_plaintext else b""
        return commands.GenerateDataKeyPair(
            current_token(kms_key),
            given.KeyPairSpec,
            given.EncryptionContext or {},
            self.with_plaintext,
            recipient,
            asked.caller.account_id,
        )

    def finish(self, asked: Request, facts: KeyFacts, reply: NewKeyPair) -> Outcome:
        kms_key = facts.kms_key
        answer: dict[str, Any] = {
            "PrivateKeyCiphertextBlob": reply.private_key_ciphertext,
            "PublicKey": reply.public_key,
            "KeyId": kms_key.arn,
            "KeyPairSpec": asked.call.input.KeyPairSpec,
        }
        if self.with_plaintext and asked.call.input.Recipient is not None:
            answer["CiphertextForRecipient"] = reply.private_key
        else:
            answer["KeyMaterialId"] = kms_key.current_material_id
            if self.with_plaintext:
                answer["PrivateKeyPlaintext"] = reply.private_key
        return Outcome(answer, additional=material_used(kms_key, kms_key.current_material_id))


class GenerateDataKeyPairWithoutPlaintext(GenerateDataKeyPair):
    with_plaintext = False
