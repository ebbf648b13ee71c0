"""The bill of a made-up month, beside the one computed by hand.

November 2026 has 720 hours. The keys, in us-east-1 but for the last:

| key | in the month                                  | 2018-11      | current      |
|-----|-----------------------------------------------|--------------|--------------|
| A   | all of it, never rotated                      | 1            | 1            |
| B   | all of it, rotated four times before          | 5            | 3            |
| C   | made on the 16th: 360 hours                   | 0.5          | 0.5          |
| D   | deletion scheduled on the 11th: 240 hours     | 0.333333     | 0.333333     |
|     |                                 in us-east-1: | **6.833333** | **4.833333** |
| E   | rotated twice before, and again on the 21st   | **3.333333** | **3**        |

The requests, in 10,000:

| class, region         | number  | free  | current: price | amount | 2018-11: price | amount |
|-----------------------|---------|-------|----------------|--------|----------------|--------|
| standard, eu-west-1   | 45,000  | 2     | 0.03           | 0.075  | 0.03           | 0.075  |
| standard, us-east-1   | 120,000 |       | 0.03           | 0.36   | 0.03           | 0.4875 |
| RSA_2048              | 10,000  |       | 0.03           | 0.03   | as standard    |        |
| other asymmetric keys | 30,000  |       | 0.15           | 0.45   | as standard    |        |
| key pairs, ECC        | 2,000   |       | 0.10           | 0.02   | as standard    |        |
| key pairs, RSA        | 500     |       | 12.00          | 0.60   | as standard    |        |

Together 4.833333 + 3 + 1.535 = 9.37 now, and 6.833333 + 3.333333 + 0.5625 = 10.73 in 2018.
"""

from calendar import timegm
from decimal import Decimal

import pytest

from kagimori.rules.metering.bill import KEY_MONTHS, Period, bill_of
from kagimori.rules.metering.key_lives import KeyLife
from kagimori.rules.metering.request_kinds import (
    ASYMMETRIC,
    PAIRS_ECC,
    PAIRS_RSA,
    RSA_2048,
    STANDARD,
)
from kagimori.trail.price_lists import price_lists

EAST, WEST, GOV = "us-east-1", "eu-west-1", "us-gov-west-1"
CURRENT, OLD = price_lists()


def at(month, day):
    return timegm((2026, month, day, 0, 0, 0))


FIRST, LAST = at(11, 1) // 3600, at(12, 1) // 3600
NOVEMBER = Period(FIRST, LAST, FIRST, LAST, LAST)
BEFORE = at(1, 1)
KEYS = (
    (EAST, KeyLife("A", BEFORE)),
    (EAST, KeyLife("B", BEFORE, (at(2, 1), at(3, 1), at(4, 1), at(5, 1)))),
    (EAST, KeyLife("C", at(11, 16))),
    (EAST, KeyLife("D", BEFORE, (), at(11, 11))),
    (WEST, KeyLife("E", BEFORE, (at(2, 1), at(3, 1), at(11, 21)))),
)
REQUESTS = {
    (EAST, STANDARD): 120_000,
    (WEST, STANDARD): 45_000,
    (EAST, RSA_2048): 10_000,
    (EAST, ASYMMETRIC): 30_000,
    (EAST, PAIRS_ECC): 2_000,
    (EAST, PAIRS_RSA): 500,
}


def amounts(bill):
    return {(line.item, line.region): line.amount for line in bill.lines}


def test_the_month_costs_what_was_computed_by_hand_at_the_current_prices():
    bill = bill_of("111122223333", CURRENT, NOVEMBER, KEYS, REQUESTS)
    assert amounts(bill) == {
        (KEY_MONTHS, EAST): Decimal("4.833333"),
        (KEY_MONTHS, WEST): Decimal(3),
        ("requests, standard", WEST): Decimal("0.075"),
        ("requests, standard", EAST): Decimal("0.36"),
        ("requests, rsa 2048", EAST): Decimal("0.03"),
        ("requests, asymmetric", EAST): Decimal("0.45"),
        ("requests, data key pairs ecc", EAST): Decimal("0.02"),
        ("requests, data key pairs rsa", EAST): Decimal("0.6"),
    }
    assert bill.total == Decimal("9.37")


def test_the_month_costs_what_was_computed_by_hand_at_the_prices_of_2018():
    bill = bill_of("111122223333", OLD, NOVEMBER, KEYS, REQUESTS)
    assert amounts(bill) == {
        (KEY_MONTHS, EAST): Decimal("6.833333"),
        (KEY_MONTHS, WEST): Decimal("3.333333"),
        ("requests, standard", WEST): Decimal("0.075"),
        ("requests, standard", EAST): Decimal("0.4875"),
    }
    assert bill.total == Decimal("10.73")


@pytest.mark.parametrize(("prices", "amount"), [(OLD, "0.04"), (CURRENT, "0.03")])
def test_govcloud_was_dearer(prices, amount):
    bill = bill_of("1", prices, NOVEMBER, (), {(GOV, STANDARD): 30_000})
    assert bill.total == Decimal(amount)


def test_free_requests_are_those_of_all_regions_together():
    few = {(EAST, STANDARD): 12_000, (WEST, STANDARD): 12_000}
    bill = bill_of("1", CURRENT, NOVEMBER, (), few)
    assert [(line.region, line.free) for line in bill.lines] == [
        (WEST, Decimal("1.2")),
        (EAST, Decimal("0.8")),
    ]
    assert bill.total == Decimal("0.01")  # for 4,000 of them


def test_a_month_that_is_not_over_is_charged_up_to_now():
    half = Period(FIRST, LAST, FIRST, LAST, FIRST + 360)
    bill = bill_of("1", CURRENT, half, KEYS[:1], {})
    assert bill.total == Decimal("0.50")


def test_nothing_costs_nothing():
    bill = bill_of("1", CURRENT, NOVEMBER, (), {})
    assert (bill.lines, bill.total) == ((), Decimal("0.00"))
