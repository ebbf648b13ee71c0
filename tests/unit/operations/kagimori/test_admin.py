"""The admin service, step by step: for operators, and nobody else."""

import pytest
from msgspec.structs import replace

from kagimori.entities.tables import ACCESS_KEYS
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.kagimori.registry import over
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.refusal import AccessDeniedException, ServiceUnavailableException
from kit.trial import ACCOUNT, NOW, OTHER, Trial, allow

SERVICE_KEY = AccessKey(
    access_key_id="AKIAGATEWAYSERVICE01",
    account_id="",
    sealed_secret=b"s",
    created_at=NOW,
    service="gw",
)
FOR_OPERATORS = [
    ("ListAccounts", {}),
    ("ListServiceKeys", {}),
    ("DeleteServiceKey", {"AccessKeyId": "AKIAGATEWAYSERVICE01"}),
    ("GetStatus", {}),
    ("GetHsmStatus", {}),
    ("GetMetricsSummary", {}),
    ("GetAuditStatus", {}),
]


class Inspected:
    """An inspector that knows one thing, and who asked."""

    def __init__(self):
        self.askers = []

    def server_status(self, asker):
        self.askers.append(asker)
        return {"Workers": []}


@pytest.fixture
def trial():
    made = Trial()
    made.view.put(ACCESS_KEYS, SERVICE_KEY)
    return made


def admin(trial, name, **members):
    return trial.call(name, service="kagimori", **members)


def test_operators_see_every_account_and_which_is_theirs(trial):
    found = admin(trial, "ListAccounts")
    assert found.needs == ["kagimori:ListAccounts"]
    listed = {one["AccountId"]: one["IsOperator"] for one in found.answer["Accounts"]}
    assert listed == {ACCOUNT: True, OTHER: False}


def test_a_page_of_accounts_goes_on_where_the_one_before_ended(trial):
    first = admin(trial, "ListAccounts", MaxResults=1).answer
    second = admin(trial, "ListAccounts", MaxResults=1, NextToken=first["NextToken"]).answer
    assert [one["AccountId"] for one in (*first["Accounts"], *second["Accounts"])] == [
        ACCOUNT,
        OTHER,
    ]
    assert second.get("NextToken") is None


@pytest.mark.parametrize(("name", "members"), FOR_OPERATORS)
def test_the_root_user_of_another_account_is_no_operator(trial, name, members):
    with pytest.raises(AccessDeniedException):
        admin(trial, name, by=trial.root(OTHER), **members)
    assert trial.view.one(ACCESS_KEYS, ("AKIAGATEWAYSERVICE01",)) is SERVICE_KEY


@pytest.mark.parametrize(("name", "members"), FOR_OPERATORS)
def test_a_user_of_the_operators_account_needs_a_policy(trial, name, members):
    with pytest.raises(AccessDeniedException):
        admin(trial, name, by=trial.user("bob", allow("kms:*")), **members)


def test_a_service_key_is_listed_and_deleted_once(trial):
    alice = trial.user("alice", allow("kagimori:*ServiceKey*"))
    (listed,) = admin(trial, "ListServiceKeys", by=alice).answer["ServiceKeys"]
    assert (listed["AccessKeyId"], listed["Service"]) == ("AKIAGATEWAYSERVICE01", "gw")
    admin(trial, "DeleteServiceKey", by=alice, AccessKeyId="AKIAGATEWAYSERVICE01")
    with pytest.raises(ResourceNotFoundException):
        admin(trial, "DeleteServiceKey", by=alice, AccessKeyId="AKIAGATEWAYSERVICE01")
    assert admin(trial, "ListServiceKeys", by=alice).answer["ServiceKeys"] == []


def test_the_access_key_of_a_user_is_no_service_key(trial):
    trial.view.put(
        ACCESS_KEYS, replace(SERVICE_KEY, access_key_id="AKIACAROLUSER000001", service=None)
    )
    with pytest.raises(ResourceNotFoundException):
        admin(trial, "DeleteServiceKey", AccessKeyId="AKIACAROLUSER000001")


def test_a_denial_that_nobody_knows_is_not_found(trial):
    with pytest.raises(ResourceNotFoundException):
        admin(trial, "GetDenial", RequestId="11111111-2222-4333-8444-555555555555")


def test_the_inspector_is_asked_for_the_caller_and_only_when_that_is_allowed(trial, monkeypatch):
    inspected = Inspected()
    for name, operation in over(inspected).items():
        monkeypatch.setitem(OPERATIONS, name, operation)
    with pytest.raises(AccessDeniedException):
        admin(trial, "GetStatus", by=trial.user("bob"))
    assert inspected.askers == []
    answer = admin(trial, "GetStatus").answer
    assert answer == {"Workers": [], "OperatorAccountId": ACCOUNT}
    assert [asker.account_id for asker in inspected.askers] == [ACCOUNT]


def test_without_an_inspector_it_is_said_that_there_is_none(trial):
    with pytest.raises(ServiceUnavailableException):
        admin(trial, "GetStatus")
