"""Counts, means, sums and CSV of the pages on health and cost, from made-up answers."""

import csv
import io
from decimal import Decimal

import pytest

from kagimori_console.pages.costs.counting import as_csv, charged_items, most_requested, totals
from kagimori_console.pages.health.requests import (
    OperationCount,
    by_operation,
    by_result,
    mean_milliseconds,
)

COUNTS = [
    {"Service": "kms", "Operation": "Encrypt", "Result": "ok", "Count": 5},
    {"Service": "kms", "Operation": "Encrypt", "Result": "ThrottlingException", "Count": 2},
    {"Service": "kms", "Operation": "Encrypt", "Result": "AccessDeniedException", "Count": 1},
    {"Service": "iam", "Operation": "GetUser", "Result": "ok", "Count": 9},
]


def entry(name, requests, billed, **more):
    return {"Requests": requests, "BilledRequests": billed, "VersionHours": [], **name, **more}


def bill(prices, total, **amounts):
    lines = [{"Item": item, "Amount": amount} for item, amount in amounts.items()]
    return {"PriceList": prices, "Currency": "USD", "Total": total, "Lines": lines}


def test_operations_are_counted_with_their_refusals():
    assert by_operation(COUNTS) == [
        OperationCount("iam:GetUser", 9, 0, 0),
        OperationCount("kms:Encrypt", 8, 3, 2),
    ]
    assert by_result(COUNTS) == [("ThrottlingException", 2), ("AccessDeniedException", 1)]


def test_a_stage_without_a_request_has_no_mean():
    stages = [{"Stage": "hsm", "Count": 4, "Seconds": 0.002}, {"Stage": "who", "Count": 0}]
    assert mean_milliseconds(stages) == [("hsm", 4, 0.5)]


def test_a_name_in_several_accounts_is_one_bar():
    entries = [
        entry({"Name": "a"}, 1, 1),
        entry({"Name": "b"}, 3, 0),
        entry({"Name": "a"}, 4, 2),
        entry({}, 1, 0),
    ]
    assert most_requested(entries, 2) == [("a", 5, 3), ("b", 3, 0)]


def test_bills_are_added_exactly():
    bills = [bill("current", "0.10"), bill("current", "0.20"), bill("2018-11", "1.00")]
    assert totals(bills) == [
        ("2018-11", "USD", Decimal("1.00")),
        ("current", "USD", Decimal("0.30")),
    ]


def test_items_that_cost_nothing_are_not_drawn():
    bills = [bill("current", "1", keys="1.0", requests="0"), bill("2018-11", "2", keys="2.0")]
    assert charged_items(bills) == (["keys"], {"2018-11": [2.0], "current": [1.0]})


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_cell_of_the_csv_is_a_formula(name):
    text = as_csv([entry({"Name": name}, 1, 1, VersionHours=[720, 24])])
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["name"] == f"'{name}"
    assert row["version_hours"] == "720 24"
