"""Replies of the HSM, and the reasons for which it does not do what was asked."""

from enum import IntEnum

from msgspec import Struct

from kagimori_boundary.seal_replies import (
    SealAdded,
    SealEvents,
    SealFacts,
    SealProgress,
    SealRefusal,
    Seals,
)


class HsmState(IntEnum):
    """The life of the module; what is allowed in which state is `kagimori_hsm.states`."""

    SELF_TEST = 0
    SEALED = 1
    OPERATIONAL = 2
    ERROR = 3
    POWER_ON = 4
    ZEROIZED = 5


class Failure(IntEnum):
    """The reason why the HSM refused a command."""

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
    BUSY = 20  # too much slow work is waiting already
    FORBIDDEN = 21  # credentials or a use of a key that nobody may have
    TOO_OFTEN = 22
    NOT_APPROVED = 60  # too few operators signed it, or it is over, ended, or of elsewhere
    TOO_EARLY = 61  # operators can refuse it still
    SIGN_IN_FAILED = 120  # password, code or token
    MFA_REQUIRED = 121  # the password is right, and the holder has a device
    PASSWORD_CHANGE_REQUIRED = 122  # password and code are right
    TOKEN_AWAY = 90  # the PKCS#11 token cannot be used now
    KEY_NOT_IN_TOKEN = 91


class Failed(Struct, frozen=True, array_like=True, tag=7):
    failure: Failure


class Greeting(Struct, frozen=True, array_like=True, tag=1):
    version: int
    state: HsmState
    domains: list[str]
    memory_locked: bool
    sandbox: tuple[str, ...] = ()  # what keeps the process from files, sockets and programs
    operator_account_id: str = ""  # as it is sealed with the domains
    reason: str = ""  # for the error state


class PassedTest(Struct, frozen=True, array_like=True):
    """A self-test that passed, and the source of what it was held against."""

    name: str
    source: str


class ModuleReport(Struct, frozen=True, array_like=True, tag=70):
    """How the module is; `tested_at` (seconds since the epoch) is 0 if no test passed yet."""

    state: HsmState = HsmState.POWER_ON
    reason: str = ""
    tests: list[PassedTest] = []
    tested_at: float = 0.0
    test_seconds: float = 0.0
    memory_locked: bool = False
    sandbox: tuple[str, ...] = ()


class DomainKeyFacts(Struct, frozen=True, array_like=True):
    """A domain key by its id; times are seconds since the epoch, `retired_at` None if current.

    `made_at` is 0 if it is not known.
    """

    domain: str
    key_id: bytes
    made_at: float
    retired_at: float | None
    is_current: bool


class DomainKeys(Struct, frozen=True, array_like=True, tag=17):
    """The domain keys in force."""

    keys: list[DomainKeyFacts]


class RosterFacts(Struct, frozen=True, array_like=True):
    """The operators as they are sealed: public keys (Ed25519, 32 bytes) by name, and the quorum."""

    deployment_id: str = ""
    quorum: int = 0
    operators: dict[str, bytes] = {}


class SealedDomains(Struct, frozen=True, array_like=True, tag=2):
    """All rings, sealed, with the domain keys in them and the operators."""

    sealed_domains: bytes
    keys: list[DomainKeyFacts] = []
    roster: RosterFacts = RosterFacts()


class OpenedApproval(Struct, frozen=True, array_like=True, tag=60):
    """The part of a new request that is the HSM's; `mac` shows that it made it."""

    request_id: str
    deployment_id: str
    made_at: int
    not_before: int
    expires_at: int
    mac: bytes


class SealChange(Struct, frozen=True, array_like=True, tag=55):
    """Sealed domains with one seal more or less, to be kept; `name` is what was done."""

    sealed_domains: bytes
    keys: list[DomainKeyFacts]
    name: str
    seal: SealFacts


class Bytes(Struct, frozen=True, array_like=True, tag=4):
    """The one value most commands answer; empty where success says it all.

    What was to be plain is a CMS envelope when a recipient was named.
    """

    value: bytes


class NewKey(Struct, frozen=True, array_like=True, tag=3):
    """`replica_tokens` are in the order of the regions asked for."""

    material_id: bytes
    key_token: bytes
    public_key: bytes
    replica_tokens: list[bytes] = []


class Tokens(Struct, frozen=True, array_like=True, tag=10):
    key_tokens: list[bytes]


class ImportParameters(Struct, frozen=True, array_like=True, tag=9):
    import_token: bytes
    public_key: bytes


class NewDataKey(Struct, frozen=True, array_like=True, tag=5):
    plaintext: bytes
    ciphertext: bytes


class NewKeyPair(Struct, frozen=True, array_like=True, tag=8):
    private_key: bytes
    private_key_ciphertext: bytes
    public_key: bytes


class Encapsulated(Struct, frozen=True, array_like=True, tag=11):
    shared_secret: bytes
    ciphertext: bytes


class NewSecret(Struct, frozen=True, array_like=True, tag=6):
    """A secret access key, in plain and sealed; `account_id` is a new account's, drawn with it."""

    secret_access_key: str
    sealed_secret: bytes
    account_id: str = ""


class TakenCode(Struct, frozen=True, array_like=True, tag=14):
    """The 30-second step of a code that was right, and by how many the device is ahead."""

    step: int
    drift: int


class NewSession(Struct, frozen=True, array_like=True, tag=12):
    """`taken` is there when a code was."""

    secret_access_key: str
    session_token: bytes
    taken: TakenCode | None = None


class OpenedSession(Struct, frozen=True, array_like=True, tag=16):
    """A session as the HSM checked it when it was made, and its claims."""

    kind: str
    account_id: str
    principal_id: str
    issued_at: int
    expires_at: int
    claims: bytes
    signing_key: bytes


class TokenConnection(Struct, frozen=True, array_like=True, tag=90):
    """How a PKCS#11 token is connected; `error` is empty if it is, or AWS's ConnectionErrorCode."""

    error: str
    label: str = ""
    serial: str = ""


class NewSeed(Struct, frozen=True, array_like=True, tag=15):
    """`base32_seed` is for the device; the other is all that is kept."""

    base32_seed: str
    sealed_seed: bytes


class NewBackupKey(Struct, frozen=True, array_like=True, tag=100):
    """The key of a backup, in plain and wrapped; `sample` is empty where none was asked for."""

    backup_key: bytes
    wrapped_key: bytes
    sample: bytes

    def __repr__(self) -> str:
        return "NewBackupKey()"


class SignedIn(Struct, frozen=True, array_like=True, tag=120):
    """The session of a sign-in; `device` is the place of the code that was taken, if one was.

    `sealed_password` is there if it was changed. `known_device` is for the device to keep.
    """

    secret_access_key: str
    session_token: bytes
    taken: TakenCode | None
    device: int
    sealed_password: bytes
    known_device: bytes

    def __repr__(self) -> str:
        return "SignedIn()"


Reply = (
    Greeting
    | SealedDomains
    | DomainKeys
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
    | OpenedApproval
    | TokenConnection
    | ModuleReport
    | SealRefusal
    | SealProgress
    | Seals
    | SealAdded
    | SealEvents
    | SealChange
    | NewBackupKey
    | SignedIn
)
