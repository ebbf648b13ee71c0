"""Months, and the parts of them between two times."""

from calendar import timegm

import pytest

from kagimori.rules.metering.bill import month_of
from kagimori.rules.metering.usage import NoMonth, period_of, periods_between


def hour(*parts):
    return timegm((*parts, 0, 0)) // 3600


def test_a_month_that_is_over_is_whole():
    found = period_of("2026-02", 1_900_000_000.0)
    assert (found.begin, found.end) == (hour(2026, 2, 1, 0), hour(2026, 3, 1, 0))
    assert (found.first, found.last, found.charged_before) == (found.begin, found.end, found.end)


def test_the_present_month_is_charged_up_to_the_hour_that_has_begun():
    now = timegm((2026, 11, 16, 12, 34, 56))
    assert month_of(now) == "2026-11"
    found = period_of("2026-11", now)
    assert found.charged_before == hour(2026, 11, 16, 13)
    assert found.end == hour(2026, 12, 1, 0)


def test_nothing_of_a_month_to_come_is_charged():
    found = period_of("2030-12", 1_800_000_000.0)
    assert (found.charged_before, found.end) == (found.begin, hour(2031, 1, 1, 0))


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-00", "26-01", "2026-1", "1969-12", "٢٠٢٦-01", "2026-01\n"]
)
def test_other_texts_are_no_months(text):
    with pytest.raises(NoMonth):
        period_of(text, 1_800_000_000.0)


def test_a_time_is_parted_at_the_ends_of_months():
    since = timegm((2026, 10, 30, 5, 30, 0))
    until = timegm((2026, 12, 1, 0, 30, 0))
    found = list(periods_between(since, until))
    assert [(one.first, one.last) for one in found] == [
        (hour(2026, 10, 30, 5), hour(2026, 11, 1, 0)),
        (hour(2026, 11, 1, 0), hour(2026, 12, 1, 0)),
        (hour(2026, 12, 1, 0), hour(2026, 12, 1, 1)),
    ]
    assert [one.end - one.begin for one in found] == [744, 720, 744]
