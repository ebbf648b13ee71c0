"""Rates: bursts, what comes back with time, and both bounds at once."""

from hypothesis import given
from hypothesis import strategies as st

from kagimori_hsm import rates
from kagimori_hsm.rates import Rate


def rate(now, *, each=(2.0, 1.0), total=(3.0, 1.0)):
    return Rate(each=each, total=total, monotonic=lambda: now[0])


def test_one_who_asks_too_often_keeps_nobody_else_out():
    limited = rate([0.0])
    assert [limited.allows("a") for _ in range(3)] == [True, True, False]
    assert limited.allows("b")


def test_all_together_have_a_bound_too():
    limited = rate([0.0])
    assert [limited.allows(who) for who in "abcd"] == [True, True, True, False]


def test_permits_come_back_with_time_and_no_more_than_the_burst():
    now = [0.0]
    limited = rate(now, total=(100.0, 100.0))
    assert [limited.allows("a") for _ in range(3)] == [True, True, False]
    now[0] = 1.0
    assert [limited.allows("a") for _ in range(2)] == [True, False]
    now[0] = 1000.0
    assert [limited.allows("a") for _ in range(3)] == [True, True, False]


def test_a_clock_that_goes_back_gives_nothing():
    now = [100.0]
    limited = rate(now)
    assert [limited.allows("a") for _ in range(3)] == [True, True, False]
    now[0] = 0.0
    assert not limited.allows("a")


def test_who_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(rates, "WHO_REMEMBERED_MAX", 3)
    limited = rate([0.0], total=(1000.0, 1.0))
    for number in range(10):
        assert limited.allows(str(number))
    assert len(limited._buckets) <= 3


@given(steps=st.lists(st.floats(0, 5), max_size=60))
def test_never_more_than_the_burst_and_what_came_since(steps):
    now = [0.0]
    limited = rate(now, total=(1000.0, 1000.0))
    allowed = 0
    for step in steps:
        now[0] += step
        allowed += limited.allows("a")
    assert allowed <= 2.0 + now[0] * 1.0 + 1e-6
