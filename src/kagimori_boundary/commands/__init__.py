"""The commands that the HSM takes, by family.

Each is an array whose first item is its tag. A tag is never used twice; those that were given up
stand in `RETIRED_TAGS`.
"""

from kagimori_boundary.commands.approvals import (
    ApprovalRequest,
    CheckApproval,
    ExecuteApproval,
    OpenApproval,
    OperatorSignature,
    PerformAlone,
    RefuseApproval,
)
from kagimori_boundary.commands.audit import (
    CreateAuditKey,
    SignDigest,
)
from kagimori_boundary.commands.backups import CreateBackupKey, OpenBackupKey
from kagimori_boundary.commands.bound_token import BoundToken
from kagimori_boundary.commands.command import HsmCommand, Lane, Role
from kagimori_boundary.commands.control import (
    AdmitFollower,
    CreateDomains,
    DescribeModule,
    Hello,
    RunSelfTests,
    Unseal,
    Zeroize,
)
from kagimori_boundary.commands.domains import (
    AdoptDomains,
    AuditKeyToken,
    DescribeDomains,
    DestroyDomainKeys,
    KeyToken,
    PasswordToken,
    RewrapTokens,
    RotateDomainKeys,
    SecretToken,
    SeedToken,
    StoredToken,
    StoreSecretToken,
)
from kagimori_boundary.commands.identity import (
    AccessKeyProof,
    CreateAccountSecret,
    CreateSecret,
    CreateSecretOnBehalf,
    CreateSession,
    DeriveSigningKey,
    OpenClaims,
    OpenSession,
    Proof,
    SealClaims,
    SessionProof,
)
from kagimori_boundary.commands.integrity import DeriveIntegrityKey
from kagimori_boundary.commands.keep import (
    CreateImportParameters,
    ForgetMaterial,
    GenerateKey,
    ImportMaterial,
    ReplicateMaterial,
    StoreMaterial,
)
from kagimori_boundary.commands.key_stores import (
    DeriveProxySigningKey,
    OpenStorePassword,
    SealStoreSecret,
)
from kagimori_boundary.commands.passwords import CreateSignInToken, HashPassword, SignIn
from kagimori_boundary.commands.seals import (
    AddSeal,
    AdmitCustodians,
    BecomeCustodian,
    DescribeSeals,
    MakeFirstSeal,
    MakeSealChange,
    OpenSeal,
    RemoveSeal,
    TakeSealEvents,
    TestSeal,
)
from kagimori_boundary.commands.sign_in import (
    CreateMfaSeed,
    OneCode,
    TakeCodes,
)
from kagimori_boundary.commands.use import (
    Decapsulate,
    Decrypt,
    DeriveSharedSecret,
    Encapsulate,
    Encrypt,
    GenerateDataKey,
    GenerateDataKeyPair,
    GenerateMac,
    GenerateRandom,
    ReEncrypt,
    Sign,
    Verify,
    VerifyMac,
)

RETIRED_TAGS = frozenset({10, 11, 24, 25})
# The domain whose domain key seals secret access keys and session tokens; IAM has no region.
IDENTITY_DOMAIN = "identity"

Command = (
    Hello
    | Unseal
    | CreateDomains
    | GenerateKey
    | CreateImportParameters
    | ImportMaterial
    | ReplicateMaterial
    | ForgetMaterial
    | StoreMaterial
    | Encrypt
    | Decrypt
    | ReEncrypt
    | GenerateDataKey
    | GenerateDataKeyPair
    | GenerateRandom
    | Sign
    | Verify
    | GenerateMac
    | VerifyMac
    | DeriveSharedSecret
    | Encapsulate
    | Decapsulate
    | CreateSecret
    | CreateSecretOnBehalf
    | CreateAccountSecret
    | DeriveSigningKey
    | CreateSession
    | OpenSession
    | SealClaims
    | OpenClaims
    | HashPassword
    | SignIn
    | CreateSignInToken
    | CreateMfaSeed
    | TakeCodes
    | CreateAuditKey
    | SignDigest
    | AdmitFollower
    | Zeroize
    | DescribeDomains
    | RotateDomainKeys
    | DestroyDomainKeys
    | AdoptDomains
    | RewrapTokens
    | OpenApproval
    | CheckApproval
    | RefuseApproval
    | ExecuteApproval
    | PerformAlone
    | DescribeModule
    | RunSelfTests
    | AddSeal
    | AdmitCustodians
    | BecomeCustodian
    | DescribeSeals
    | MakeFirstSeal
    | MakeSealChange
    | OpenSeal
    | RemoveSeal
    | TakeSealEvents
    | TestSeal
    | SealStoreSecret
    | DeriveProxySigningKey
    | OpenStorePassword
    | CreateBackupKey
    | OpenBackupKey
    | DeriveIntegrityKey
)

__all__ = [
    "IDENTITY_DOMAIN",
    "RETIRED_TAGS",
    "AccessKeyProof",
    "AddSeal",
    "AdmitCustodians",
    "AdmitFollower",
    "AdoptDomains",
    "ApprovalRequest",
    "AuditKeyToken",
    "BecomeCustodian",
    "BoundToken",
    "CheckApproval",
    "Command",
    "CreateAccountSecret",
    "CreateAuditKey",
    "CreateBackupKey",
    "CreateDomains",
    "CreateImportParameters",
    "CreateMfaSeed",
    "CreateSecret",
    "CreateSecretOnBehalf",
    "CreateSession",
    "CreateSignInToken",
    "Decapsulate",
    "Decrypt",
    "DeriveIntegrityKey",
    "DeriveProxySigningKey",
    "DeriveSharedSecret",
    "DeriveSigningKey",
    "DescribeDomains",
    "DescribeModule",
    "DescribeSeals",
    "DestroyDomainKeys",
    "Encapsulate",
    "Encrypt",
    "ExecuteApproval",
    "ForgetMaterial",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateKey",
    "GenerateMac",
    "GenerateRandom",
    "HashPassword",
    "Hello",
    "HsmCommand",
    "ImportMaterial",
    "KeyToken",
    "Lane",
    "MakeFirstSeal",
    "MakeSealChange",
    "OneCode",
    "OpenApproval",
    "OpenBackupKey",
    "OpenClaims",
    "OpenSeal",
    "OpenSession",
    "OpenStorePassword",
    "OperatorSignature",
    "PasswordToken",
    "PerformAlone",
    "Proof",
    "ReEncrypt",
    "RefuseApproval",
    "RemoveSeal",
    "ReplicateMaterial",
    "RewrapTokens",
    "Role",
    "RotateDomainKeys",
    "RunSelfTests",
    "SealClaims",
    "SealStoreSecret",
    "SecretToken",
    "SeedToken",
    "SessionProof",
    "Sign",
    "SignDigest",
    "SignIn",
    "StoreMaterial",
    "StoreSecretToken",
    "StoredToken",
    "TakeCodes",
    "TakeSealEvents",
    "TestSeal",
    "Unseal",
    "Verify",
    "VerifyMac",
    "Zeroize",
]
