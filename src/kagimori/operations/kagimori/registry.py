"""The operations of the admin service."""

from typing import Final

from kagimori.operations.kagimori.accounts import CreateAccount, ListAccounts
from kagimori.operations.kagimori.approval_signatures import RefuseApproval, SignApproval
from kagimori.operations.kagimori.approvals import (
    GetApproval,
    ListApprovals,
    RequestApproval,
)
from kagimori.operations.kagimori.backups import CreateBackupKey
from kagimori.operations.kagimori.denials import GetDenial
from kagimori.operations.kagimori.domains import (
    GetDomainStatus,
    RewrapTokens,
    RotateDomainKey,
)
from kagimori.operations.kagimori.events import SearchEvents
from kagimori.operations.kagimori.executions import (
    AddOperators,
    DestroyDomainKeys,
    ExecuteApproval,
    ZeroizeHsm,
)
from kagimori.operations.kagimori.key_guards import GetKeyGuard, SetKeyGuard
from kagimori.operations.kagimori.key_policy_check import CheckKeyPolicy
from kagimori.operations.kagimori.key_proofs import ProveKeyUnused
from kagimori.operations.kagimori.key_search import SearchKeys
from kagimori.operations.kagimori.nodes import ListNodes, RemoveNode
from kagimori.operations.kagimori.operators import ListOperators
from kagimori.operations.kagimori.policy_tests import TestKeyPolicy
from kagimori.operations.kagimori.quotas import ListQuotas, SetQuota
from kagimori.operations.kagimori.service_keys import (
    CreateServiceKey,
    DeleteServiceKey,
    ListServiceKeys,
)
from kagimori.operations.kagimori.sign_in import SignIn
from kagimori.operations.kagimori.sign_in_means import CreateSignInToken, SetRootPassword
from kagimori.operations.kagimori.sign_out import SignOutEverywhere
from kagimori.operations.kagimori.status import (
    GetAuditStatus,
    GetHsmStatus,
    GetMetricsSummary,
    GetStatus,
)
from kagimori.operations.kagimori.twin import ReplayQuotas
from kagimori.operations.kagimori.usage import GetUsage
from kagimori.operations.operation import AnyOperation
from kagimori.ports import Inspector


def _operations(inspector: Inspector | None) -> tuple[AnyOperation, ...]:
    return (
        AddOperators(),
        CheckKeyPolicy(),
        CreateAccount(),
        CreateBackupKey(),
        CreateServiceKey(),
        CreateSignInToken(),
        DeleteServiceKey(),
        DestroyDomainKeys(),
        ExecuteApproval(),
        GetApproval(),
        GetAuditStatus(inspector),
        GetDenial(),
        GetDomainStatus(inspector),
        GetHsmStatus(inspector),
        GetKeyGuard(),
        GetMetricsSummary(inspector),
        GetStatus(inspector),
        GetUsage(inspector),
        ListAccounts(),
        ListQuotas(),
        ListApprovals(),
        ListNodes(inspector),
        ListOperators(),
        ListServiceKeys(),
        ProveKeyUnused(inspector),
        RefuseApproval(),
        ReplayQuotas(inspector),
        RequestApproval(),
        RewrapTokens(),
        RotateDomainKey(),
        RemoveNode(),
        SearchEvents(inspector),
        SearchKeys(),
        SetKeyGuard(),
        SetQuota(),
        SetRootPassword(),
        SignApproval(),
        SignIn(),
        SignOutEverywhere(),
        TestKeyPolicy(inspector),
        ZeroizeHsm(),
    )


ADMIN_OPERATIONS: Final = _operations(None)


def over(inspector: Inspector) -> dict[tuple[str, str], AnyOperation]:
    """Return these operations, with what they ask about the trail and the server."""
    return {(operation.service, operation.name): operation for operation in _operations(inspector)}
