"""Usage and the twin through the admin service: whose, of when, in pages."""

from decimal import Decimal

import pytest

from kagimori.operations.kagimori.registry import over
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.metering.bill import Bill, BillLine, month_of
from kagimori.rules.metering.twin import Replayed, ThrottledMinute, TwinFound
from kagimori.rules.metering.usage import UsageEntry, UsagePage
from kagimori.rules.records.refusals import InvalidNextTokenException
from kagimori.rules.refusal import (
    AccessDeniedException,
    ServiceUnavailableException,
    ValidationException,
)
from kit.trial import ACCOUNT, NOW, OTHER, REGION, Trial, allow

ENTRY = UsageEntry(ACCOUNT, REGION, "kms", "Encrypt", 3, 2, (720, 10))
LINE = BillLine(
    "requests, standard", REGION, "10,000 requests", *map(Decimal, ("3", "2", "0.03", "0.030000"))
)
BILL = Bill(ACCOUNT, "2026-11", "current", "USD", (LINE,))
MINUTE = ThrottledMinute(1_800_000_000, ACCOUNT, REGION, "CreateKey", 25, 15)


class Inspected:
    """An inspector that knows one page of usage, and what it was asked."""

    def __init__(self):
        self.queries = []

    def usage(self, asker, query):
        self.queries.append(query)
        return UsagePage((ENTRY,), ENTRY.key, (BILL,) if query.with_bills else ())

    def replay_requests(self, asker, query):
        self.queries.append(query)
        return TwinFound(Replayed(25, 15, (MINUTE,), 0), (BILL,))


@pytest.fixture
def inspected():
    return Inspected()


@pytest.fixture
def trial(inspected):
    return Trial(operations={**OPERATIONS, **over(inspected)})


def admin(trial, name, **members):
    return trial.call(name, service="kagimori", **members)


def test_usage_is_of_this_month_and_by_operation_unless_somebody_asks_otherwise(trial, inspected):
    found = admin(trial, "GetUsage")
    assert found.needs == ["kagimori:GetUsage"]
    (query,) = inspected.queries
    assert (query.account_id, query.group, query.limit) == (None, "OPERATION", 100)
    assert found.answer["Month"] == month_of(NOW)
    assert found.answer["Entries"] == [
        {
            "AccountId": ACCOUNT,
            "Region": REGION,
            "Service": "kms",
            "Name": "Encrypt",
            "Requests": 3,
            "BilledRequests": 2,
            "VersionHours": [720, 10],
        }
    ]
    (bill,) = found.answer["Bills"]
    assert (bill["Month"], bill["PriceList"]) == ("2026-11", "current")
    assert (bill["Total"], bill["Lines"][0]["Amount"]) == ("0.03", "0.030000")


def test_the_next_page_begins_after_the_one_before_and_has_no_bills(trial, inspected):
    token = admin(trial, "GetUsage", GroupBy="KEY", Month="2026-11").answer["NextToken"]
    again = {"GroupBy": "KEY", "Month": "2026-11", "NextToken": token}
    assert admin(trial, "GetUsage", **again).answer["Bills"] == []
    assert inspected.queries[-1].after == ENTRY.key
    for other in ({"GroupBy": "PRINCIPAL"}, {"Month": "2026-10"}, {"AccountId": OTHER}):
        with pytest.raises(InvalidNextTokenException):
            admin(trial, "GetUsage", **{**again, **other})


@pytest.mark.parametrize("token", ["x", "e30=", "W10=", "null"])
def test_a_token_that_was_never_given_is_refused(trial, token):
    with pytest.raises(InvalidNextTokenException):
        admin(trial, "GetUsage", NextToken=token)


@pytest.mark.parametrize("month", ["2026-13", "0000-01", "2026-00"])
def test_a_month_that_is_none_is_refused(trial, month):
    with pytest.raises(ValidationException):
        admin(trial, "GetUsage", Month=month)


@pytest.mark.parametrize("operation", ["GetUsage", "ReplayQuotas"])
def test_each_account_sees_its_own_and_operators_see_all(trial, inspected, operation):
    other = trial.user("alice", allow("*"), account=OTHER)
    admin(trial, operation, by=other)
    admin(trial, operation, by=other, AccountId=OTHER)
    admin(trial, operation, AccountId=OTHER)
    admin(trial, operation)
    assert [query.account_id for query in inspected.queries] == [OTHER, OTHER, OTHER, None]
    with pytest.raises(AccessDeniedException):
        admin(trial, operation, by=other, AccountId=ACCOUNT)
    with pytest.raises(AccessDeniedException):
        admin(trial, operation, by=trial.user("bob"))
    assert len(inspected.queries) == 4


@pytest.mark.parametrize("operation", ["GetUsage", "ReplayQuotas"])
def test_where_there_is_no_trail_nothing_is_known(operation):
    with pytest.raises(ServiceUnavailableException):
        admin(Trial(), operation)


def test_the_twin_replays_30_days_through_the_quotas_of_aws(trial, inspected):
    found = admin(trial, "ReplayQuotas")
    (query,) = inspected.queries
    assert (query.profile, query.since, query.until) == ("aws", NOW - 30 * 86_400, NOW)
    assert (found.answer["Requests"], found.answer["Throttled"]) == (25, 15)
    assert found.answer["Minutes"] == [
        {
            "Minute": 1_800_000_000,
            "AccountId": ACCOUNT,
            "Region": REGION,
            "GroupName": "CreateKey",
            "Requests": 25,
            "Throttled": 15,
        }
    ]
    assert found.answer["Bills"][0]["PriceList"] == "current"


def test_the_twin_replays_nothing_that_is_to_come(trial, inspected):
    admin(trial, "ReplayQuotas", Profile="open", StartTime=NOW - 60, EndTime=NOW + 1000)
    (query,) = inspected.queries
    assert (query.profile, query.since, query.until) == ("open", NOW - 60, NOW)


@pytest.mark.parametrize(
    "times",
    [
        {"StartTime": NOW + 1},
        {"StartTime": NOW - 100, "EndTime": NOW - 200},
        {"StartTime": 0.0},
        {"EndTime": 5.0},
    ],
)
def test_times_that_cannot_be_replayed_are_refused(trial, times):
    with pytest.raises(ValidationException):
        admin(trial, "ReplayQuotas", **times)
