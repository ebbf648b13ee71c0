"""Usage read from the meter: by name, in pages, with bills; and the twin over recorded requests."""

from decimal import Decimal

import pytest

from contract.test_audit_machinery import ACCOUNT, OTHER, START, arn, event, write
from contract.test_meter import lifecycle, rotation
from kagimori.deployment.folder import Unusable
from kagimori.rules.metering.bill import month_of
from kagimori.rules.metering.twin import TwinQuery
from kagimori.rules.metering.usage import (
    KEY,
    OPERATION,
    PRINCIPAL,
    UsageQuery,
    period_of,
)
from kagimori.trail.meter import Meter
from kagimori.trail.meter_reader import read_usage
from kagimori.trail.twin import replay_requests

HOUR = 3600
NOW = START + 10 * HOUR


@pytest.fixture
def audit(tmp_path):
    folder = tmp_path / "audit"
    (folder / "w0").mkdir(parents=True)
    return folder


def of(account, number, name="Encrypt", **more):
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/alice"}
    return event(number, name, recipientAccountId=account, userIdentity=identity, **more)


def count(audit, *records):
    write(audit, records)
    meter = Meter(audit)
    meter.follow(audit / "w0")
    meter.close()


def usage(audit, group=OPERATION, account=None, **more):
    query = {"after": None, "limit": 100, "with_bills": False, **more}
    period = period_of(month_of(NOW), NOW)
    return read_usage(audit, UsageQuery(account_id=account, period=period, group=group, **query))


def rows(page):
    return [(one.account_id, one.name, one.requests, one.billed) for one in page.entries]


def test_without_a_meter_there_is_no_usage(audit):
    with pytest.raises(Unusable):
        usage(audit)


def test_requests_by_operation_for_one_account_and_for_all(audit):
    count(
        audit,
        of(ACCOUNT, 1),
        of(ACCOUNT, 2),
        of(ACCOUNT, 3, errorCode="ThrottlingException"),
        of(ACCOUNT, 4, "Decrypt", errorCode="AccessDenied"),
        of(ACCOUNT, 5, "ListUsers", eventSource="iam.amazonaws.com"),
        of(OTHER, 6),
    )
    own = [(ACCOUNT, "ListUsers", 1, 0), (ACCOUNT, "Decrypt", 1, 1), (ACCOUNT, "Encrypt", 3, 2)]
    assert rows(usage(audit, account=ACCOUNT)) == own
    assert rows(usage(audit)) == [*own, (OTHER, "Encrypt", 1, 1)]
    assert rows(usage(audit, account="999999999999")) == []


def test_requests_by_principal(audit):
    count(audit, of(ACCOUNT, 1), of(ACCOUNT, 2, "Decrypt"))
    assert rows(usage(audit, PRINCIPAL)) == [(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/alice", 2, 2)]


def test_requests_by_key_with_the_hours_of_its_versions(audit):
    two = [{"ARN": arn(name="k1")}, {"ARN": arn(name="k2")}]
    count(
        audit,
        lifecycle(0, "CreateKey"),
        rotation(2 * HOUR, "m2"),
        of(ACCOUNT, 1, "ReEncrypt", resources=two),
        of(OTHER, 2, resources=two[:1]),
        of(ACCOUNT, 3, "ListKeys", resources=[]),
    )
    found = {(one.account_id, one.name): one for one in usage(audit, KEY).entries}
    own = found[ACCOUNT, arn(name="k1")]
    assert (own.requests, own.version_hours) == (2, (11, 9))
    assert found[ACCOUNT, arn(name="k2")].requests == 1
    # Another account's use of the key is its own; the key's hours are the owner's.
    assert (found[OTHER, arn(name="k1")].requests, found[OTHER, arn(name="k1")].version_hours) == (
        1,
        (),
    )
    assert found[ACCOUNT, ""].requests == 1


def test_a_key_that_nobody_used_is_there_and_one_that_is_gone_is_not(audit):
    count(audit, lifecycle(0, "CreateKey"))
    (one,) = usage(audit, KEY).entries
    assert one.version_hours == (11,)
    later = period_of("2031-01", NOW + 10 * 365 * 86_400)
    query = UsageQuery(ACCOUNT, later, KEY, None, 100, with_bills=False)
    assert [entry.requests for entry in read_usage(audit, query).entries] == [0]
    before = period_of("2020-01", NOW)
    query = UsageQuery(ACCOUNT, before, KEY, None, 100, with_bills=False)
    assert read_usage(audit, query).entries == ()


def test_pages_go_on_where_the_one_before_ended(audit):
    names = ["Decrypt", "DescribeKey", "Encrypt", "ListKeys", "Sign"]
    count(audit, *(of(ACCOUNT, number, name) for number, name in enumerate(names)))
    found, after = [], None
    while True:
        page = usage(audit, after=after, limit=2)
        found += [one.name for one in page.entries]
        after = page.following
        if after is None:
            break
    assert found == names


def test_bills_are_by_account_and_price_list(audit):
    spec = {"arn": arn(name="r"), "keySpec": "RSA_4096", "keyManager": "CUSTOMER"}
    count(
        audit,
        lifecycle(0, "CreateKey"),
        event(1, "CreateKey", responseElements={"keyMetadata": spec}),
        *(of(ACCOUNT, number, "Sign", resource=arn(name="r")) for number in range(2, 12)),
        of(OTHER, 20),
    )
    bills = usage(audit, with_bills=True).bills
    assert [(bill.account_id, bill.price_list) for bill in bills] == [
        (account, name) for account in (ACCOUNT, OTHER) for name in ("current", "2018-11")
    ]
    lines = {line.item: line for line in bills[0].lines}
    assert lines["key versions"].quantity == (Decimal(22) / 720).quantize(Decimal("0.000001"))
    assert lines["requests, asymmetric"].amount == Decimal("0.00015")
    assert lines["requests, standard"].free == Decimal("0.0002")
    assert [bill.account_id for bill in usage(audit, account=OTHER, with_bills=True).bills] == [
        OTHER,
        OTHER,
    ]


def test_the_twin_replays_an_accounts_requests_and_prices_them(audit):
    count(
        audit,
        lifecycle(0, "CreateKey"),
        *(of(ACCOUNT, 5, "CreateAlias") for _ in range(12)),
        *(of(OTHER, 6, "CreateAlias") for _ in range(12)),
        of(ACCOUNT, 4000, "CreateAlias"),
    )
    everybody = replay_requests(audit, TwinQuery(None, "aws", START, NOW))
    assert (everybody.replayed.requests, everybody.replayed.throttled) == (26, 4)
    own = replay_requests(audit, TwinQuery(ACCOUNT, "aws", START, START + HOUR))
    assert (own.replayed.requests, own.replayed.throttled) == (13, 2)
    (minute,) = own.replayed.minutes
    assert (minute.group, minute.requests, minute.throttled) == ("CreateAlias", 12, 2)
    assert {bill.account_id for bill in own.bills} == {ACCOUNT}
    assert [bill.price_list for bill in own.bills] == ["current", "2018-11"]
