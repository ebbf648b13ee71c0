"""Rates of addresses: a burst, then so many in a second, in bounded memory."""

from kagimori_console.web.rates import ADDRESSES_MAX, Rate


def test_a_burst_passes_and_the_next_waits():
    rate = Rate(burst=3, per_second=2)
    assert [rate.take("a", 100.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert rate.take("b", 100.0) == 0
    assert rate.take("a", 100.5) == 0
    assert rate.take("a", 100.5) > 0


def test_a_clock_that_goes_back_gives_nothing():
    rate = Rate(burst=1, per_second=1)
    assert rate.take("a", 100.0) == 0
    assert rate.take("a", 50.0) > 0


def test_memory_is_bounded():
    rate = Rate(burst=1, per_second=1)
    for number in range(ADDRESSES_MAX + 100):
        rate.take(str(number), 100.0)
    assert len(rate._buckets) == ADDRESSES_MAX
