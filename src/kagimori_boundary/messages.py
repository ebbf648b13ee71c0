"""The messages between an API worker and the HSM: version 1 of the protocol.

A frame is `length (4 bytes, big-endian) | correlation id (4 bytes) | MessagePack`; the length
counts what follows it. Commands and replies are arrays whose first item is the tag. Many
commands may be in flight on one connection; each is answered once, in any order, under its
correlation id. Nothing here acts.
"""

from enum import IntEnum
from typing import Final

from msgspec import Struct

from kagimori_boundary.audit_messages import CreateAuditKey, SignDigest
from kagimori_boundary.identity_messages import (
    CreateSecret,
    CreateSession,
    DeriveSigningKey,
    NewSecret,
    NewSession,
    OpenClaims,
    OpenedSession,
    OpenSession,
    SealClaims,
)
from kagimori_boundary.sign_in_messages import (
    CreateMfaSeed,
    HashPassword,
    NewSeed,
    TakeCodes,
    TakenCode,
)

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
    EXPIRED_TOKEN = 15
    INCORRECT_PASSWORD = 16
    USED_PASSWORD = 17  # among those that are remembered
    INVALID_CODE = 18  # of an MFA device, with a request for a session
    INVALID_CODES = 19  # two in a row, to enable or resynchronize a device


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
    """Make a backing key; answers a token for `region`, and one for each replica region."""

    account_id: str
    region: str
    key_id: str
    key_spec: str
    key_usage: str
    origin: str
    replica_regions: list[str] = []


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
    recipient: bytes = b""  # public key (SPKI DER) of an attested recipient; none if empty


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
    recipient: bytes = b""


class GenerateRandom(Struct, frozen=True, array_like=True, tag=9):
    number_of_bytes: int
    recipient: bytes = b""


class GenerateDataKeyPair(Struct, frozen=True, array_like=True, tag=12):
    bound_token: bytes
    key_pair_spec: str
    encryption_context: dict[str, str]
    with_plaintext: bool
    recipient: bytes = b""


class Sign(Struct, frozen=True, array_like=True, tag=13):
    bound_token: bytes
    algorithm: str
    message_type: str
    message: bytes


class Verify(Struct, frozen=True, array_like=True, tag=14):
    bound_token: bytes
    algorithm: str
    message_type: str
    message: bytes
    signature: bytes


class GenerateMac(Struct, frozen=True, array_like=True, tag=15):
    bound_token: bytes
    algorithm: str
    message: bytes


class VerifyMac(Struct, frozen=True, array_like=True, tag=16):
    bound_token: bytes
    algorithm: str
    message: bytes
    mac: bytes


class DeriveSharedSecret(Struct, frozen=True, array_like=True, tag=17):
    bound_token: bytes
    algorithm: str
    public_key: bytes
    recipient: bytes = b""


class Encapsulate(Struct, frozen=True, array_like=True, tag=18):
    bound_token: bytes
    algorithm: str


class Decapsulate(Struct, frozen=True, array_like=True, tag=19):
    bound_token: bytes
    algorithm: str
    ciphertext: bytes


class CreateImportParameters(Struct, frozen=True, array_like=True, tag=20):
    """Make a wrapping key pair; the private half leaves only inside the import token.

    `valid_to`: seconds since the epoch.
    """

    account_id: str
    region: str
    key_id: str
    wrapping_algorithm: str
    wrapping_key_spec: str
    valid_to: float


class ImportMaterial(Struct, frozen=True, array_like=True, tag=21):
    account_id: str
    region: str
    key_id: str
    key_spec: str
    key_usage: str
    import_token: bytes
    encrypted_material: bytes
    now: float


class ReplicateMaterial(Struct, frozen=True, array_like=True, tag=22):
    """Wrap keys of one region's domain for another's; answers one token for each."""

    bound_tokens: list[bytes]
    region: str


class ForgetMaterial(Struct, frozen=True, array_like=True, tag=23):
    """Drop destroyed materials from memory, and open these tokens of theirs no more.

    Sent once the loss is committed. A command that was decided before that may still be on its way
    with such a token; the same material, imported again, comes with another.
    """

    material_ids: list[bytes]
    key_tokens: list[bytes]


class StoreMaterial(Struct, frozen=True, array_like=True, tag=28):
    """Take in key material as it is; for `dev` alone, which keeps no secrets."""

    account_id: str
    region: str
    key_id: str
    key_spec: str
    key_usage: str
    origin: str
    material: bytes


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
    | GenerateDataKeyPair
    | Sign
    | Verify
    | GenerateMac
    | VerifyMac
    | DeriveSharedSecret
    | Encapsulate
    | Decapsulate
    | CreateImportParameters
    | ImportMaterial
    | ReplicateMaterial
    | ForgetMaterial
    | CreateSession
    | OpenSession
    | SealClaims
    | OpenClaims
    | StoreMaterial
    | CreateAuditKey
    | SignDigest
    | HashPassword
    | CreateMfaSeed
    | TakeCodes
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
    """`replica_tokens` are in the order of the regions asked for."""

    material_id: bytes
    key_token: bytes
    public_key: bytes
    replica_tokens: list[bytes] = []


class Bytes(Struct, frozen=True, array_like=True, tag=4):
    """The one value most commands answer; empty where success says it all.

    What was to be plain is a CMS envelope when a recipient was named.
    """

    value: bytes


class NewDataKey(Struct, frozen=True, array_like=True, tag=5):
    plaintext: bytes
    ciphertext: bytes


class Failed(Struct, frozen=True, array_like=True, tag=7):
    failure: Failure


class NewKeyPair(Struct, frozen=True, array_like=True, tag=8):
    private_key: bytes
    private_key_ciphertext: bytes
    public_key: bytes


class ImportParameters(Struct, frozen=True, array_like=True, tag=9):
    import_token: bytes
    public_key: bytes


class Tokens(Struct, frozen=True, array_like=True, tag=10):
    key_tokens: list[bytes]


class Encapsulated(Struct, frozen=True, array_like=True, tag=11):
    shared_secret: bytes
    ciphertext: bytes


Reply = (
    Greeting
    | SealedDomains
    | NewKey
    | Bytes
    | NewDataKey
    | NewSecret
    | Failed
    | NewKeyPair
    | ImportParameters
    | Tokens
    | Encapsulated
    | NewSession
    | OpenedSession
    | TakenCode
    | NewSeed
)
