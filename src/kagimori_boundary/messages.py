"""The messages between an API worker and the HSM: version 1 of the protocol.

A frame is `length (4 bytes, big-endian) | correlation id (4 bytes) | MessagePack`; the length
counts what follows it. Commands and replies are arrays whose first item is the tag. Many
commands may be in flight on one connection; each is answered once, in any order, under its
correlation id. Nothing here acts.
"""

from enum import IntEnum
from typing import Final

from msgspec import Struct

PROTOCOL_VERSION: Final = 1
# A command carries at most one Decrypt input or one imported key: far below this.
FRAME_BYTES_MAX: Final = 256 * 1024
FRAME_HEAD_BYTES: Final = 8

# --- symmetric ciphertext: the header's fields, in order (docs/look-up/ciphertext-format.md) ----
CIPHERTEXT_VERSION: Final = 1
MATERIAL_ID_BYTES: Final = 32
NONCE_BYTES: Final = 16
IV_BYTES: Final = 12
TAG_BYTES: Final = 16
HEADER_BYTES: Final = 1 + MATERIAL_ID_BYTES + NONCE_BYTES + IV_BYTES

# The domain whose domain key seals secret access keys and session tokens; IAM has no region.
IDENTITY_DOMAIN: Final = "identity"


class HsmState(IntEnum):
    """The life of the module: it serves only when operational, and leaves `ERROR` never."""

    SELF_TEST = 0
    SEALED = 1
    OPERATIONAL = 2
    ERROR = 3


class Failure(IntEnum):
    """Why the HSM did not do what was asked."""

    MALFORMED = 1  # not a message of this protocol, or not in this role
    NOT_OPERATIONAL = 2
    TOKEN_REFUSED = 3  # the token is not for this key, or was altered
    INVALID_CIPHERTEXT = 4
    INVALID_SIGNATURE = 5
    INVALID_MAC = 6
    INCORRECT_KEY_MATERIAL = 7
    INVALID_PUBLIC_KEY = 8
    UNSUPPORTED = 9
    TOO_LONG = 10
    BAD_DIGEST_LENGTH = 11
    SEAL_REFUSED = 12  # the sealed domains do not open under this seal
    INTERNAL = 13
    INVALID_TOKEN = 14  # a sealed token of a client (session, import) does not open
    INCORRECT_KEY = 15


# --- what a key token is bound to ----------------------------------------------------------------


class BoundToken(Struct, frozen=True, array_like=True):
    """A key token with all it is bound to; commands carry it encoded, as bytes.

    The HSM opens the token only if every field is what it was made for.
    """

    account_id: str
    region: str
    key_id: str
    key_spec: str
    key_usage: str
    origin: str
    material_id: bytes
    key_token: bytes


# --- commands ------------------------------------------------------------------------------------


class Hello(Struct, frozen=True, array_like=True, tag=1):
    version: int


class Unseal(Struct, frozen=True, array_like=True, tag=2):
    """Operator: open the sealed domains."""

    sealed_domains: bytes


class CreateDomains(Struct, frozen=True, array_like=True, tag=3):
    """Operator: make the domains that do not exist yet; answers all of them, sealed anew."""

    names: list[str]


class GenerateKey(Struct, frozen=True, array_like=True, tag=4):
    account_id: str
    region: str
    key_id: str
    key_spec: str
    key_usage: str
    origin: str


class Encrypt(Struct, frozen=True, array_like=True, tag=5):
    bound_token: bytes
    algorithm: str
    plaintext: bytes
    encryption_context: dict[str, str]


class Decrypt(Struct, frozen=True, array_like=True, tag=6):
    bound_token: bytes
    algorithm: str
    ciphertext: bytes
    encryption_context: dict[str, str]


class ReEncrypt(Struct, frozen=True, array_like=True, tag=7):
    """Decrypt under one key and encrypt under another; the plaintext stays inside."""

    source: bytes
    source_algorithm: str
    ciphertext: bytes
    source_encryption_context: dict[str, str]
    destination: bytes
    destination_algorithm: str
    destination_encryption_context: dict[str, str]


class GenerateDataKey(Struct, frozen=True, array_like=True, tag=8):
    bound_token: bytes
    number_of_bytes: int
    encryption_context: dict[str, str]
    with_plaintext: bool


class GenerateRandom(Struct, frozen=True, array_like=True, tag=9):
    number_of_bytes: int


class CreateSecret(Struct, frozen=True, array_like=True, tag=10):
    """Make a secret access key for an access key; answers it plain (once) and sealed."""

    account_id: str
    access_key_id: str


class DeriveSigningKey(Struct, frozen=True, array_like=True, tag=11):
    """The day's Signature Version 4 signing key for one region and service."""

    account_id: str
    access_key_id: str
    sealed_secret: bytes
    date: str
    region: str
    service: str


Command = (
    Hello
    | Unseal
    | CreateDomains
    | GenerateKey
    | Encrypt
    | Decrypt
    | ReEncrypt
    | GenerateDataKey
    | GenerateRandom
    | CreateSecret
    | DeriveSigningKey
)

# --- replies -------------------------------------------------------------------------------------


class Greeting(Struct, frozen=True, array_like=True, tag=1):
    version: int
    state: HsmState
    domains: list[str]
    memory_locked: bool


class SealedDomains(Struct, frozen=True, array_like=True, tag=2):
    sealed_domains: bytes


class NewKey(Struct, frozen=True, array_like=True, tag=3):
    material_id: bytes
    key_token: bytes
    public_key: bytes


class Bytes(Struct, frozen=True, array_like=True, tag=4):
    """The one value most commands answer: a ciphertext, a plaintext, a signing key."""

    value: bytes


class NewDataKey(Struct, frozen=True, array_like=True, tag=5):
    plaintext: bytes
    ciphertext: bytes


class NewSecret(Struct, frozen=True, array_like=True, tag=6):
    secret_access_key: str
    sealed_secret: bytes


class Failed(Struct, frozen=True, array_like=True, tag=7):
    failure: Failure


Reply = Greeting | SealedDomains | NewKey | Bytes | NewDataKey | NewSecret | Failed
