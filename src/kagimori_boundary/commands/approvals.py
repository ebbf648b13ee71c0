"""Commands about requests that several people must approve, their signatures, and execution.

Each takes the sealed domains as they are kept, in which the operators' public keys are. What
changes them answers their successor, sealed, and changes nothing itself, as with domain keys.
"""

from typing import Final

from msgspec import Struct

from kagimori_boundary.commands.command import HsmCommand
from kagimori_boundary.commands.identity import Proof

# What can be asked for. The HSM performs all but the last one itself.
ADD_OPERATORS: Final = "AddOperators"
REMOVE_OPERATORS: Final = "RemoveOperators"
CHANGE_QUORUM: Final = "ChangeQuorum"
DESTROY_DOMAIN_KEYS: Final = "DestroyDomainKeys"
REMOVE_SEAL: Final = "RemoveSeal"
ZEROIZE_HSM: Final = "ZeroizeHsm"
REPLACE_KEY_POLICY: Final = "ReplaceKeyPolicy"

# Names of parameters; `operator.NAME` is a new operator's public key (32 bytes, hex).
OPERATOR_PREFIX: Final = "operator."
OPERATOR_NAMES: Final = "operator_names"  # with commas between
QUORUM: Final = "quorum"
DOMAIN_KEY_IDS: Final = "domain_key_ids"  # hex, with commas between
SEAL_ID: Final = "seal_id"
POLICY_SHA256: Final = "policy_sha256"

# What an operator says of a request by signing it.
APPROVE: Final = "approve"
REFUSE: Final = "refuse"


class ApprovalRequest(Struct, frozen=True, array_like=True):
    """One request, with all that operators sign. Times are whole seconds since the epoch.

    `not_before` ends the time in which an operator can refuse it before anything is done.
    """

    request_id: str
    deployment_id: str
    action: str
    resource: str
    parameters: dict[str, str]
    reason: str
    made_by: str
    made_at: int
    not_before: int
    expires_at: int


class OperatorSignature(Struct, frozen=True, array_like=True):
    """The Ed25519 signature of an operator, by name."""

    operator: str
    signature: bytes


class OpenApproval(HsmCommand, frozen=True, tag=60):
    """Make a request: the HSM draws its id, and sets the times by its own clock.

    `now`, here and below: seconds since the epoch; only `dev` goes by it.
    """

    sealed_domains: bytes
    action: str
    resource: str
    parameters: dict[str, str]
    reason: str
    made_by: str
    valid_seconds: int
    now: float


class CheckApproval(HsmCommand, frozen=True, tag=61):
    """Verify one operator's approval of a request; nothing is performed."""

    sealed_domains: bytes
    request: ApprovalRequest
    mac: bytes
    signature: OperatorSignature
    now: float


class RefuseApproval(HsmCommand, frozen=True, tag=62):
    """End a request that one operator refuses; answers the domains that know it, sealed."""

    sealed_domains: bytes
    request: ApprovalRequest
    mac: bytes
    signature: OperatorSignature
    now: float


class ExecuteApproval(HsmCommand, frozen=True, tag=63):
    """Perform a request that enough operators approved; answers the domains after it, sealed.

    What is not about domains and operators the service performs, with the same commit.
    """

    sealed_domains: bytes
    request: ApprovalRequest
    mac: bytes
    signatures: list[OperatorSignature]
    now: float


class PerformAlone(HsmCommand, frozen=True, tag=64):
    """Perform an action for the deployment's administrator, as long as there are no operators."""

    sealed_domains: bytes
    action: str
    parameters: dict[str, str]
    now: float
    proof: Proof | None = None
