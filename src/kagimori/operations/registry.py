"""Every operation there is, by service and AWS's name for it."""

from typing import Final

from kagimori.operations.cloudtrail.registry import AUDIT_OPERATIONS
from kagimori.operations.iam.registry import IAM_OPERATIONS
from kagimori.operations.kagimori.registry import ADMIN_OPERATIONS
from kagimori.operations.kms.registry import KMS_OPERATIONS
from kagimori.operations.operation import AnyOperation
from kagimori.operations.servicequotas.registry import SERVICE_QUOTAS_OPERATIONS
from kagimori.operations.simulation.registry import SIMULATION_OPERATIONS
from kagimori.operations.sts.registry import STS_OPERATIONS

_ALL: Final[tuple[AnyOperation, ...]] = (
    *KMS_OPERATIONS,
    *IAM_OPERATIONS,
    *SIMULATION_OPERATIONS,
    *STS_OPERATIONS,
    *AUDIT_OPERATIONS,
    *ADMIN_OPERATIONS,
    *SERVICE_QUOTAS_OPERATIONS,
)

OPERATIONS: Final = {(operation.service, operation.name): operation for operation in _ALL}
