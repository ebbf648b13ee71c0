"""Commands that use a backing key, which comes with each as a bound token."""

from typing import Annotated

from msgspec import Meta

from kagimori_boundary.commands.bound_token import account_in
from kagimori_boundary.commands.command import FAST, LONG_USES, HsmCommand, Lane, lane_of_making

# As the API has it; the HSM's memory must not be a worker's to ask for.
NumberOfBytes = Annotated[int, Meta(ge=1, le=1024)]


class Encrypt(HsmCommand, frozen=True, tag=5):
    bound_token: bytes
    algorithm: str
    plaintext: bytes
    encryption_context: dict[str, str]


class Decrypt(HsmCommand, frozen=True, tag=6):
    bound_token: bytes
    algorithm: str
    ciphertext: bytes
    encryption_context: dict[str, str]
    recipient: bytes = b""  # public key (SPKI DER) of an attested recipient; none if empty

    @property
    def lane(self) -> Lane:
        return Lane.BESIDE if self.algorithm.startswith(LONG_USES) else FAST

    @property
    def payer(self) -> str:
        return account_in(self.bound_token)


class ReEncrypt(HsmCommand, frozen=True, tag=7):
    """Decrypt under one key and encrypt under another; the plaintext stays inside."""

    source: bytes
    source_algorithm: str
    ciphertext: bytes
    source_encryption_context: dict[str, str]
    destination: bytes
    destination_algorithm: str
    destination_encryption_context: dict[str, str]

    @property
    def lane(self) -> Lane:
        return Lane.BESIDE if self.source_algorithm.startswith(LONG_USES) else FAST

    @property
    def payer(self) -> str:
        return account_in(self.source)


class GenerateDataKey(HsmCommand, frozen=True, tag=8):
    bound_token: bytes
    number_of_bytes: NumberOfBytes
    encryption_context: dict[str, str]
    with_plaintext: bool
    recipient: bytes = b""


class GenerateDataKeyPair(HsmCommand, frozen=True, tag=12):
    bound_token: bytes
    key_pair_spec: str
    encryption_context: dict[str, str]
    with_plaintext: bool
    recipient: bytes = b""
    asked_by: str = ""  # the caller's account

    @property
    def lane(self) -> Lane:
        return lane_of_making(self.key_pair_spec)

    @property
    def payer(self) -> str:
        return self.asked_by


class GenerateRandom(HsmCommand, frozen=True, tag=9):
    number_of_bytes: NumberOfBytes
    recipient: bytes = b""


class Sign(HsmCommand, frozen=True, tag=13):
    bound_token: bytes
    algorithm: str
    message_type: str
    message: bytes

    @property
    def lane(self) -> Lane:
        return Lane.BESIDE if self.algorithm.startswith(LONG_USES) else FAST

    @property
    def payer(self) -> str:
        return account_in(self.bound_token)


class Verify(HsmCommand, frozen=True, tag=14):
    bound_token: bytes
    algorithm: str
    message_type: str
    message: bytes
    signature: bytes


class GenerateMac(HsmCommand, frozen=True, tag=15):
    bound_token: bytes
    algorithm: str
    message: bytes


class VerifyMac(HsmCommand, frozen=True, tag=16):
    bound_token: bytes
    algorithm: str
    message: bytes
    mac: bytes


class DeriveSharedSecret(HsmCommand, frozen=True, tag=17):
    bound_token: bytes
    algorithm: str
    public_key: bytes
    recipient: bytes = b""


class Encapsulate(HsmCommand, frozen=True, tag=18):
    bound_token: bytes
    algorithm: str


class Decapsulate(HsmCommand, frozen=True, tag=19):
    bound_token: bytes
    algorithm: str
    ciphertext: bytes
