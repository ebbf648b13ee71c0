"""Quotas shown and set through the admin service, and shown and asked for through Service Quotas."""

import re

import pytest
from msgspec.structs import replace

from kagimori.front.models import ServiceModel
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.servicequotas.refusals import (
    IllegalArgumentException,
    InvalidPaginationTokenException,
    NoSuchResourceException,
    ResourceAlreadyExistsException,
)
from kagimori.rules.quotas.profile import AWS, OFF
from kagimori.rules.refusal import AccessDeniedException, ValidationException
from kit.trial import ACCOUNT, MODELS, OTHER, Trial, allow

CREATE_KEY = "L-32B67F4A"


class QuotaTrial(Trial):
    profile = AWS

    def asked(self, name, **members):
        asked = super().asked(name, **members)
        asked.settings = replace(asked.settings, quota_profile=self.profile)
        return asked

    def admin(self, name, **members):
        return self.call(name, service="kagimori", **members).answer

    def quotas(self, name, **members):
        given = {"ServiceCode": "kms", **members}
        return self.call(name, service="servicequotas", **given).answer

    def number(self, account=ACCOUNT, group="CreateKey"):
        found = self.admin("ListQuotas", AccountId=account)["Quotas"]
        return next(one["Value"] for one in found if one["GroupName"] == group)


@pytest.fixture
def trial(monkeypatch):
    monkeypatch.setitem(MODELS, "servicequotas", ServiceModel.load("servicequotas"))
    return QuotaTrial()


def test_an_operator_sets_the_number_of_an_account_and_takes_it_back(trial):
    assert trial.number(OTHER) == 5.0
    made = trial.admin("SetQuota", AccountId=OTHER, GroupName="CreateKey", Value=50.0)
    assert (made["Quota"]["Value"], made["Quota"]["DefaultValue"]) == (50.0, 5.0)
    trial.admin("SetQuota", AccountId=OTHER, GroupName="ListKeys", Value=1.0)
    assert (trial.number(OTHER), trial.number(OTHER, "ListKeys"), trial.number()) == (
        50.0,
        1.0,
        5.0,
    )
    trial.admin("SetQuota", AccountId=OTHER, GroupName="CreateKey")
    assert (trial.number(OTHER), trial.number(OTHER, "ListKeys")) == (5.0, 1.0)


def test_an_account_sees_its_own_quotas_and_sets_none(trial):
    other = trial.user("alice", allow("*"), account=OTHER)
    assert trial.admin("ListQuotas", by=other)["AccountId"] == OTHER
    with pytest.raises(AccessDeniedException):
        trial.admin("ListQuotas", by=other, AccountId=ACCOUNT)
    with pytest.raises(AccessDeniedException):
        trial.admin("SetQuota", by=other, AccountId=OTHER, GroupName="CreateKey", Value=9.0)


@pytest.mark.parametrize("number", [0.0, -1.0, 1e12, float("nan"), float("inf")])
def test_numbers_that_cannot_be_are_refused(trial, number):
    with pytest.raises(ValidationException):
        trial.admin("SetQuota", AccountId=OTHER, GroupName="CreateKey", Value=number)
    assert trial.number(OTHER) == 5.0


def test_accounts_and_groups_that_do_not_exist_are_refused(trial):
    with pytest.raises(ResourceNotFoundException):
        trial.admin("SetQuota", AccountId="999999999999", GroupName="CreateKey", Value=9.0)
    with pytest.raises(ResourceNotFoundException):
        trial.admin("SetQuota", AccountId=OTHER, GroupName="Changs", Value=9.0)
    with pytest.raises(ResourceNotFoundException):
        trial.admin("ListQuotas", AccountId="999999999999")


def test_without_quotas_there_are_none_to_see(trial):
    trial.profile = OFF
    assert trial.admin("ListQuotas")["Quotas"] == []
    assert trial.quotas("ListServiceQuotas")["Quotas"] == []


def test_service_quotas_shows_a_quota_as_aws_does(trial):
    shown = trial.quotas("GetServiceQuota", QuotaCode=CREATE_KEY)["Quota"]
    assert shown == {
        "ServiceCode": "kms",
        "ServiceName": "AWS Key Management Service (AWS KMS)",
        "QuotaArn": f"arn:aws:servicequotas:us-east-1:{ACCOUNT}:kms/{CREATE_KEY}",
        "QuotaCode": CREATE_KEY,
        "QuotaName": "CreateKey request rate",
        "Value": 5.0,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"},
        "QuotaAppliedAtLevel": "ACCOUNT",
        "Description": "requests a second",
    }


def test_service_quotas_lists_in_pages(trial):
    whole = [one["QuotaCode"] for one in trial.quotas("ListServiceQuotas")["Quotas"]]
    found, token = [], None
    while True:
        page = trial.quotas("ListServiceQuotas", MaxResults=7, NextToken=token)
        found += [one["QuotaCode"] for one in page["Quotas"]]
        token = page.get("NextToken")
        if token is None:
            break
        assert re.fullmatch("[a-zA-Z0-9/+]*={0,2}", token), "as the service model wants it"
    assert found == whole
    assert len(whole) > 50
    assert trial.quotas("ListServiceQuotas", QuotaAppliedAtLevel="RESOURCE")["Quotas"] == []
    (one,) = trial.quotas("ListServiceQuotas", QuotaCode=CREATE_KEY)["Quotas"]
    assert one["QuotaCode"] == CREATE_KEY
    sts = trial.quotas("ListServiceQuotas", ServiceCode="sts")["Quotas"]
    assert [one["Value"] for one in sts] == [600.0]
    assert trial.quotas("ListServiceQuotas", NextToken="")["Quotas"]
    with pytest.raises(InvalidPaginationTokenException):
        trial.quotas("ListServiceQuotas", NextToken="x")


@pytest.mark.parametrize("operation", ["GetServiceQuota", "RequestServiceQuotaIncrease"])
def test_services_and_quotas_that_do_not_exist_are_refused(trial, operation):
    desired = {} if operation == "GetServiceQuota" else {"DesiredValue": 9.0}
    for wrong in ({"QuotaCode": "L-00000000"}, {"QuotaCode": CREATE_KEY, "ServiceCode": "ec2"}):
        with pytest.raises(NoSuchResourceException):
            trial.quotas(operation, **wrong, **desired)


def test_an_account_asks_for_more_and_an_operator_answers(trial):
    asked = {"QuotaCode": CREATE_KEY, "DesiredValue": 40.0}
    other = trial.user("alice", allow("servicequotas:*"), account=OTHER)
    made = trial.quotas("RequestServiceQuotaIncrease", by=other, **asked)["RequestedQuota"]
    assert (made["Status"], made["DesiredValue"]) == ("PENDING", 40.0)
    assert trial.number(OTHER) == 5.0
    (waiting,) = (
        one for one in trial.admin("ListQuotas", AccountId=OTHER)["Quotas"] if one["RequestedValue"]
    )
    assert (waiting["GroupName"], waiting["RequestedValue"]) == ("CreateKey", 40.0)
    with pytest.raises(ResourceAlreadyExistsException):
        trial.quotas("RequestServiceQuotaIncrease", by=other, **asked)
    trial.admin("SetQuota", AccountId=OTHER, GroupName="CreateKey", Value=40.0)
    shown = trial.quotas("GetServiceQuota", by=other, QuotaCode=CREATE_KEY)["Quota"]
    assert shown["Value"] == 40.0
    with pytest.raises(IllegalArgumentException):
        trial.quotas("RequestServiceQuotaIncrease", by=other, **asked)
    trial.quotas("RequestServiceQuotaIncrease", by=other, **{**asked, "DesiredValue": 41.0})


def test_service_quotas_needs_permission(trial):
    alice = trial.user("alice", allow("servicequotas:GetServiceQuota"))
    trial.quotas("GetServiceQuota", by=alice, QuotaCode=CREATE_KEY)
    with pytest.raises(AccessDeniedException):
        trial.quotas("ListServiceQuotas", by=alice)
