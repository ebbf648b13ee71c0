"""The hours of key versions, from changes in any order."""

import itertools

import pytest

from kagimori.rules.metering.key_lives import (
    CANCELLED,
    DELETED,
    MADE,
    ROTATED,
    SCHEDULED,
    KeyChange,
    life_of,
    version_hours,
)

ARN = "arn:aws:kms:us-east-1:111122223333:key/k"
HOUR = 3600


def change(kind, at, identity=None):
    return KeyChange(
        kind, "111122223333", "us-east-1", "k", int(at * HOUR), identity or f"{kind}{at}"
    )


def hours(*changes, begin=0, end=100):
    """Return the hours of each version: the same in whatever order the changes come."""
    found = {
        tuple(version_hours(life_of(ARN, order), begin, end))
        for order in itertools.islice(itertools.permutations(changes), 200)
    }
    (one,) = found
    return list(one)


def test_a_begun_hour_counts_whole():
    assert hours(change(MADE, 10.5)) == [90]
    assert hours(change(MADE, 10.0), change(SCHEDULED, 12.0)) == [2]
    assert hours(change(MADE, 10.9), change(SCHEDULED, 12.1)) == [3]


def test_each_rotation_is_a_version_of_its_own():
    assert hours(change(MADE, 10), change(ROTATED, 20), change(ROTATED, 30.5)) == [90, 80, 70]


def test_only_the_hours_of_the_month_count():
    assert hours(change(MADE, 10), change(ROTATED, 50), begin=40, end=60) == [20, 10]
    assert hours(change(MADE, 70), begin=40, end=60) == [0]
    assert hours(change(MADE, 10), change(SCHEDULED, 20), begin=40, end=60) == [0]


def test_a_key_that_is_pending_deletion_is_free_from_when_it_was_scheduled():
    assert hours(change(MADE, 0), change(SCHEDULED, 40), change(DELETED, 80)) == [40]


def test_a_cancelled_deletion_was_never_scheduled():
    assert hours(change(MADE, 0), change(SCHEDULED, 40), change(CANCELLED, 60)) == [100]
    again = (change(SCHEDULED, 40), change(CANCELLED, 60), change(SCHEDULED, 70))
    assert hours(change(MADE, 0), *again) == [70]


def test_changes_within_one_second_are_told_apart_by_their_number():
    thrice = (
        change(SCHEDULED, 40, "a"),
        change(CANCELLED, 40, "b"),
        change(SCHEDULED, 40, "c"),
    )
    assert hours(change(MADE, 0), *thrice) == [40]
    assert hours(change(MADE, 0), *thrice[:2]) == [100]


def test_a_replica_that_was_made_later_has_the_versions_of_its_set():
    assert hours(change(ROTATED, 20), change(MADE, 30)) == [70, 70]


@pytest.mark.parametrize("kind", [ROTATED, SCHEDULED, DELETED])
def test_a_key_that_nothing_tells_the_making_of_has_no_life(kind):
    assert life_of(ARN, [change(kind, 1)]) is None
