"""The operations of Service Quotas."""

from typing import Final

from kagimori.operations.operation import AnyOperation
from kagimori.operations.servicequotas.quotas import (
    GetServiceQuota,
    ListServiceQuotas,
    RequestServiceQuotaIncrease,
)

SERVICE_QUOTAS_OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    GetServiceQuota(),
    ListServiceQuotas(),
    RequestServiceQuotaIncrease(),
)
