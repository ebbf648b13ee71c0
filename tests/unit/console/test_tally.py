"""Events of a key counted, and what a key costs by the unit prices of a bill."""

import datetime as dt
import json
from decimal import Decimal

from kagimori_console.pages.key import tally
from kagimori_console.pages.key.cost import Place, Used, hours_of, months_until, price_of, used_of

AT = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC).timestamp()
DAY = 86_400
ALICE = "arn:aws:iam::111122223333:user/alice"
ROLE = "arn:aws:iam::111122223333:role/app"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/1"


def event(operation="Encrypt", at=AT, error=None, **record):
    found = {"EventName": operation, "EventTime": at, "CloudTrailEvent": json.dumps(record)}
    return tally.event_of({**found, **({"ErrorCode": error} if error else {})})


def session(name):
    return {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::111122223333:assumed-role/app/{name}",
        "sessionContext": {"sessionIssuer": {"arn": ROLE}},
    }


def test_sessions_of_a_role_are_one_caller():
    events = [
        event(userIdentity=session("a")),
        event("Decrypt", AT + 5, userIdentity=session("b")),
        event(userIdentity={"arn": ALICE}, error="AccessDenied"),
        event(userIdentity={"invokedBy": "logs.amazonaws.com"}),
    ]
    found = [(one.name, one.requests, one.refused, one.last) for one in tally.by_caller(events)]
    assert found == [
        (ROLE, 2, 0, AT + 5),
        (ALICE, 1, 1, AT),
        ("logs.amazonaws.com", 1, 0, AT),
    ]


def test_records_that_are_cut_or_strange_count_all_the_same():
    strange = [{}, {"CloudTrailEvent": "["}, {"CloudTrailEvent": "1"}]
    strange += [{"CloudTrailEvent": '{"userIdentity": null, "requestParameters": null}'}]
    callers = [tally.event_of(one) for one in strange]
    assert [one.caller for one in callers] == [tally.UNKNOWN] * 4
    assert callers[-1].key_named == ""


def test_days_are_those_of_utc_and_the_rest_is_left_out():
    days = tally.days_until(AT, 3)
    assert [str(day) for day in days] == ["2026-02-28", "2026-03-01", "2026-03-02"]
    events = [event(at=AT), event(at=AT - DAY), event("Sign", AT - DAY), event(at=AT - 3 * DAY)]
    found = tally.by_day(((one.operation, one) for one in events), days)
    assert found == {"Encrypt": [0, 1, 1], "Sign": [0, 1, 0]}


def test_many_names_become_some_and_the_sum_of_the_others():
    series = {"a": [3, 3], "b": [1, 0], "c": [0, 1]}
    assert tally.bounded(series, 1, "others") == {"a": [3, 3], "others": [1, 1]}
    assert tally.bounded(series, 3, "others") == series


def test_usage_of_a_key_is_that_of_all_accounts():
    entries = [
        {"Service": "kms", "Name": KEY, "Requests": 3, "BilledRequests": 2, "VersionHours": [720]},
        {"Service": "kms", "Name": KEY, "Requests": 5, "BilledRequests": 5, "VersionHours": []},
        {"Service": "kms", "Name": KEY + "2", "Requests": 9, "BilledRequests": 9},
        {"Service": "kms", "Requests": 9, "BilledRequests": 9},
    ]
    assert used_of(entries, KEY) == Used(8, 7, (720,))


def test_a_key_is_priced_by_its_versions_and_its_kind_of_requests():
    lines = [
        ("key versions", "1.00"),
        ("requests, standard", "0.03"),
        ("requests, asymmetric", "0.15"),
    ]
    bill = {
        "Currency": "USD",
        "Lines": [
            {"Item": item, "Region": region, "UnitPrice": price}
            for item, price in lines
            for region in ("eu-central-1", "us-east-1")
        ],
    }
    used = Used(10_000, 10_000, (720, 720, 720, 720))

    def price(price_list, spec):
        place = Place("eu-central-1", spec)
        return price_of({**bill, "PriceList": price_list}, used, place, "2026-11")

    now = price("current", "SYMMETRIC_DEFAULT")
    assert (now.versions, now.requests, now.total) == (Decimal(3), Decimal("0.03"), Decimal("3.03"))
    assert price("2018-11", "SYMMETRIC_DEFAULT").versions == Decimal(4)
    assert price("current", "ECC_NIST_P256").requests == Decimal("0.15")
    assert price("current", "RSA_2048").requests == Decimal("0.03")


def test_months_go_over_the_new_year():
    assert months_until(dt.datetime(2026, 2, 1, tzinfo=dt.UTC).timestamp())[:3] == [
        "2026-02",
        "2026-01",
        "2025-12",
    ]
    assert [hours_of(month) for month in ("2028-02", "2026-12")] == [29 * 24, 31 * 24]
