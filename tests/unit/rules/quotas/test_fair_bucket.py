"""A bucket is fair at every moment, keeps its rate, and its copies in several workers agree."""

from array import array
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagimori.rules.quotas.fair_bucket import (
    CAPACITY_SECONDS,
    CELLS,
    COUNTS,
    FIRST_CELL,
    TOTAL,
    FairBucket,
    capacity_of,
)

TURN_SECONDS = 0.005


def cells(principal):
    """A cell of each row that no other principal has."""
    return principal, CELLS + principal


def counts():
    return array("d", bytes(8 * COUNTS))


class Used:
    """Each principal's use of the last second, kept apart from the bucket's own way of it."""

    def __init__(self):
        self._uses = {}

    def of(self, principal, now):
        used, at = self._uses.get(principal, (0.0, now))
        return used * exp(at - now)

    def add(self, principal, cost, now):
        self._uses[principal] = (self.of(principal, now) + cost, now)


REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from((0.0, 0.0, 0.0, TURN_SECONDS, 0.1, 1.5)),
        st.sampled_from((1.0, 1.0, 0.1, 7.0)),
    ),
    max_size=400,
)


@settings(deadline=None)
@given(rate=st.sampled_from((0.5, 5.0, 100.0)), requests=REQUESTS)
def test_nobody_is_refused_while_somebody_who_used_more_is_admitted(rate, requests):
    """Any mix of callers: of all who ask at one moment, those refused are those who used most."""
    bucket, used, now = FairBucket(rate, 0.0), Used(), 0.0
    refused_with = None  # the least use with which somebody was refused at this moment
    for principal, later, cost in requests:
        if later:
            now, refused_with = now + later, None
        use = used.of(principal, now)
        if bucket.take(cells(principal), cost, now):
            assert refused_with is None or use < refused_with + 1e-6
            used.add(principal, cost, now)
        else:
            refused_with = use if refused_with is None else min(use, refused_with)


@settings(deadline=None)
@given(rate=st.sampled_from((0.5, 5.0, 100.0)), requests=REQUESTS)
def test_no_more_is_admitted_than_the_rate_and_what_the_bucket_holds(rate, requests):
    bucket, now, admitted = FairBucket(rate, 0.0), 0.0, 0.0
    for principal, later, cost in requests:
        now += later
        admitted += cost * bucket.take(cells(principal), cost, now)
        assert admitted <= capacity_of(rate) + rate * now + 7.0 + 1e-6


@settings(deadline=None, max_examples=40)
@given(rate=st.sampled_from((50, 200, 1000)), noisy=st.integers(1, 8), data=st.data())
def test_a_caller_within_its_share_is_never_refused_beside_any_noisy_ones(rate, noisy, data):
    bucket, now = FairBucket(rate, 0.0), 0.0
    eagerness = [data.draw(st.integers(1, 40)) for _ in range(noisy)]
    share = rate / (noisy + 1)
    owed = 0.0
    for turn in range(600):
        now = turn * TURN_SECONDS
        for principal, times in enumerate(eagerness):
            for _ in range(times):
                bucket.take(cells(principal), 1.0, now)
        if turn < 300:  # the noisy ones have it for themselves at first
            continue
        owed += share * 0.9 * TURN_SECONDS
        while owed >= 1.0:
            owed -= 1.0
            assert bucket.take(cells(20), 1.0, now), f"turn {turn}, level {bucket.level}"


@pytest.mark.parametrize("noisy", [1, 2, 5])
def test_noisy_callers_share_the_whole_rate_alike(noisy):
    bucket = FairBucket(100.0, 0.0)
    admitted = [0] * noisy
    for turn in range(4000):
        now = turn * TURN_SECONDS
        for place in range(noisy):
            for _ in range(5 * (place + 1)):  # each more eager than the one before
                admitted[place] += bucket.take(cells(place), 1.0, now)
    assert sum(admitted) == pytest.approx(100 * 20, rel=0.12)
    assert max(admitted) <= min(admitted) * 1.2 + 20


def test_one_caller_alone_may_use_a_second_of_the_rate_at_once():
    bucket = FairBucket(100.0, 0.0)
    assert sum(bucket.take(cells(0), 1.0, 0.0) for _ in range(500)) == 101
    assert bucket.take(cells(1), 1.0, 0.0), "and another finds room"


def test_a_dear_request_is_owed_and_paid_back_before_the_next():
    bucket = FairBucket(10.0, 0.0)
    assert bucket.take(cells(0), 50.0, 0.0)
    assert bucket.level == 10.0 * CAPACITY_SECONDS - 50.0
    assert not bucket.take(cells(1), 0.1, 2.9)
    assert bucket.take(cells(1), 0.1, 3.0)


def test_a_clock_set_back_refills_nothing_and_stops_nothing():
    bucket = FairBucket(10.0, 1000.0)
    while bucket.take(cells(0), 1.0, 1000.0):
        pass
    level = bucket.level
    assert not bucket.take(cells(0), 1.0, 10.0)
    assert bucket.level == level
    assert bucket.take(cells(0), 1.0, 12.0)


def test_requests_that_are_counted_out_of_turn_refill_nothing_twice():
    bucket = FairBucket(10.0, 1000.0)
    for turn in range(1000):
        bucket.take(cells(0), 1.0, 1000.0 + 0.3 * (turn % 2))
    assert bucket.level >= 10.0 * CAPACITY_SECONDS - 14, "a refill of 0.3 seconds, once"
    taken = sum(bucket.take(cells(number), 1.0, 1000.3) for number in range(1, 60))
    assert taken <= 14


def test_principals_in_one_cell_alone_are_told_apart_by_the_other():
    bucket = FairBucket(10.0, 0.0)
    while bucket.take((3, CELLS + 3), 1.0, 0.0):
        pass
    assert bucket.take((3, CELLS + 4), 1.0, 0.0)


def test_after_a_long_time_nothing_is_remembered_and_nothing_overflows():
    bucket = FairBucket(1.0, 0.0)
    for turn in range(5000):
        assert bucket.take(cells(0), 1.0, turn * 3.0)
    assert bucket.take(cells(0), 1.0, 1e9)


def shared(workers, rate):
    numbers = [counts() for _ in range(workers)]
    return numbers, [
        FairBucket(rate, 0.0, own, [one for one in numbers if one is not own]) for own in numbers
    ]


@settings(deadline=None, max_examples=40)
@given(workers=st.integers(2, 4), rate=st.sampled_from((5, 50, 400)), data=st.data())
def test_workers_together_keep_the_rate(workers, rate, data):
    """However requests are spread over workers: within 10 % of the rate, after the first second."""
    _, buckets = shared(workers, rate)
    spread = data.draw(st.lists(st.integers(0, workers - 1), min_size=5, max_size=40))
    turns, admitted = 2000, 0
    for turn in range(turns):
        for asked in range(2 + rate // 50):
            bucket = buckets[spread[(turn + asked) % len(spread)]]
            admitted += bucket.take(cells(asked % 3), 1.0, turn * TURN_SECONDS)
    seconds = turns * TURN_SECONDS
    assert admitted <= rate * seconds + capacity_of(rate) + 1
    assert admitted >= rate * seconds * 0.9


def test_a_caller_gets_no_more_by_asking_several_workers():
    _, buckets = shared(4, 100.0)
    everywhere, at_one = 0, 0
    for turn in range(2000):
        now = turn * TURN_SECONDS
        for bucket in buckets:
            everywhere += sum(bucket.take(cells(0), 1.0, now) for _ in range(3))
        at_one += sum(buckets[0].take(cells(1), 1.0, now) for _ in range(3))
    assert everywhere == pytest.approx(at_one, rel=0.1)


def test_a_worker_that_starts_again_goes_on_where_the_bucket_was():
    numbers, buckets = shared(2, 10.0)
    while buckets[0].take(cells(0), 1.0, 1.0):
        pass
    again = FairBucket(10.0, 1.1, numbers[0], [numbers[1]])
    assert again.level < capacity_of(10.0)
    assert buckets[1].take(cells(1), 1.0, 1.1)
    before = again.level
    again.take(cells(2), 1.0, 1.1)
    assert again.level == before - 2.0, "the other's request and its own, each once"


def test_what_is_given_back_was_never_taken():
    numbers, (one, other) = shared(2, 10.0)
    one.take(cells(0), 3.0, 0.0)
    one.give_back(cells(0), 3.0)
    assert one.level == capacity_of(10.0)
    assert numbers[0][TOTAL] == 0.0
    assert not any(numbers[0][FIRST_CELL:])
    assert other.take(cells(0), 1.0, 0.0)
    assert other.level == capacity_of(10.0) - 1.0
