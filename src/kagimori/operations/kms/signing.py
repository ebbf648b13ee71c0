"""Signatures, MACs, key agreement and encapsulation."""

from typing import Any, ClassVar

from kagimori.gate.asked import Request
from kagimori.gate.recipient import recipient_key
from kagimori.operations.kms.cryptographic import Cryptographic, current_token
from kagimori.operations.kms.on_key import KeyFacts
from kagimori.operations.operation import Outcome, R
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.messages_to_sign import check_message
from kagimori.rules.keys.usage import check_algorithm
from kagimori_boundary import commands
from kagimori_boundary.commands import Command
from kagimori_boundary.key_specs import KeyUsage
from kagimori_boundary.replies import Bytes, Encapsulated


class _WithAlgorithm(Cryptographic[R]):
    """`algorithm_member` names the member that chooses among the key's algorithms."""

    algorithm_member: ClassVar[str]

    def check(self, asked: Request, kms_key: KmsKey) -> None:
        check_algorithm(kms_key, self.usage, self.algorithm(asked))

    def algorithm(self, asked: Request) -> str:
        return str(getattr(asked.call.input, self.algorithm_member))

    def named(self, asked: Request, kms_key: KmsKey, **members: Any) -> dict[str, Any]:
        """Return the answer: the key, the algorithm, and what else there is."""
        return {
            "KeyId": kms_key.arn,
            self.algorithm_member: self.algorithm(asked),
            **members,
        }


class _Signing(_WithAlgorithm[Bytes]):
    usage = KeyUsage.SIGN_VERIFY
    algorithm_member = "SigningAlgorithm"

    def check(self, asked: Request, kms_key: KmsKey) -> None:
        super().check(asked, kms_key)
        given = asked.call.input
        check_message(given.SigningAlgorithm, given.MessageType or "RAW", given.Message)


class Sign(_Signing):
    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        given = asked.call.input
        kind = given.MessageType or "RAW"
        return commands.Sign(current_token(kms_key), given.SigningAlgorithm, kind, given.Message)

    def finish(self, asked: Request, facts: KeyFacts, reply: Bytes) -> Outcome:
        return Outcome(self.named(asked, facts.kms_key, Signature=reply.value))


class Verify(_Signing):
    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        given = asked.call.input
        return commands.Verify(
            current_token(kms_key),
            given.SigningAlgorithm,
            given.MessageType or "RAW",
            given.Message,
            given.Signature,
        )

    def finish(self, asked: Request, facts: KeyFacts, reply: Bytes) -> Outcome:
        return Outcome(self.named(asked, facts.kms_key, SignatureValid=True))


class _Mac(_WithAlgorithm[Bytes]):
    usage = KeyUsage.GENERATE_VERIFY_MAC
    algorithm_member = "MacAlgorithm"


class GenerateMac(_Mac):
    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        given = asked.call.input
        return commands.GenerateMac(current_token(kms_key), given.MacAlgorithm, given.Message)

    def finish(self, asked: Request, facts: KeyFacts, reply: Bytes) -> Outcome:
        return Outcome(self.named(asked, facts.kms_key, Mac=reply.value))


class VerifyMac(_Mac):
    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        given = asked.call.input
        token = current_token(kms_key)
        return commands.VerifyMac(token, given.MacAlgorithm, given.Message, given.Mac)

    def finish(self, asked: Request, facts: KeyFacts, reply: Bytes) -> Outcome:
        return Outcome(self.named(asked, facts.kms_key, MacValid=True))


class DeriveSharedSecret(_WithAlgorithm[Bytes]):
    usage = KeyUsage.KEY_AGREEMENT
    algorithm_member = "KeyAgreementAlgorithm"

    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        given = asked.call.input
        return commands.DeriveSharedSecret(
            current_token(kms_key),
            given.KeyAgreementAlgorithm,
            given.PublicKey,
            recipient_key(asked, given.Recipient),
        )

    def finish(self, asked: Request, facts: KeyFacts, reply: Bytes) -> Outcome:
        kms_key = facts.kms_key
        attested = asked.call.input.Recipient is not None
        member = "CiphertextForRecipient" if attested else "SharedSecret"
        answer = self.named(asked, kms_key, KeyOrigin=kms_key.origin)
        return Outcome({**answer, member: reply.value})


class _Encapsulation(_WithAlgorithm[R]):
    usage = KeyUsage.ENCAPSULATE_DECAPSULATE
    algorithm_member = "EncapsulationAlgorithm"


class Encapsulate(_Encapsulation[Encapsulated]):
    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        return commands.Encapsulate(current_token(kms_key), self.algorithm(asked))

    def finish(self, asked: Request, facts: KeyFacts, reply: Encapsulated) -> Outcome:
        return Outcome(
            self.named(
                asked,
                facts.kms_key,
                SharedSecret=reply.shared_secret,
                SharedSecretCiphertextBlob=reply.ciphertext,
            )
        )


class Decapsulate(_Encapsulation[Bytes]):
    def command(self, asked: Request, kms_key: KmsKey) -> Command:
        blob = asked.call.input.SharedSecretCiphertextBlob
        return commands.Decapsulate(current_token(kms_key), self.algorithm(asked), blob)

    def finish(self, asked: Request, facts: KeyFacts, reply: Bytes) -> Outcome:
        return Outcome(self.named(asked, facts.kms_key, SharedSecret=reply.value))
