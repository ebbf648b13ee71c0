"""A pending settles once, and what one coroutine does wrong harms no other."""

import asyncio

import pytest

from kagimori.pending import Pending, start


def collected(pending):
    """Start a coroutine that waits for a pending; return the list where its outcome goes."""
    outcome = []

    async def wait():
        try:
            outcome.append(await pending)
        except ValueError as failure:
            outcome.append(failure)

    start(wait())
    return outcome


def test_a_value_given_before_or_after_the_wait_arrives():
    early, late = Pending(), Pending()
    early.settle(1)
    outcome = collected(late)
    assert outcome == []
    late.settle(2)
    assert collected(early) + outcome == [1, 2]


def test_a_failure_is_raised_in_whoever_waits():
    pending, failure = Pending(), ValueError("no")
    outcome = collected(pending)
    pending.fail(failure)
    assert outcome == [failure]
    with pytest.raises(ValueError, match="no"):
        pending.result()


def test_no_text_of_a_pending_shows_its_value():
    pending = Pending()
    pending.settle(b"planted secret")
    assert f"{pending} {pending!r}" == "<Pending, settled> <Pending, settled>"


@pytest.mark.parametrize("again", ["settle", "fail"])
def test_only_the_first_outcome_counts(again):
    pending = Pending()
    outcome = collected(pending)
    pending.settle("first")
    getattr(pending, again)(ValueError("second"))
    assert outcome == ["first"]
    assert pending.result() == "first"


def test_a_coroutine_goes_through_many_pendings_without_depth():
    settled = [Pending() for _ in range(5000)]
    for pending in settled:
        pending.settle(1)
    total = []

    async def add():
        total.append(sum([await pending for pending in settled]))

    start(add())
    assert total == [5000]


def test_a_coroutine_that_fails_is_reported_without_its_text_and_harms_nobody():
    reported, went_on = [], []

    async def run():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context))
        one, other = Pending(), Pending()

        async def fails():
            await one
            raise ValueError("planted secret")

        async def goes_on():
            went_on.append(await other)

        start(fails())
        start(goes_on())
        one.settle(None)  # must not raise into whoever settles
        other.settle("on")

    asyncio.run(run())
    assert went_on == ["on"]
    assert len(reported) == 1
    assert "ValueError" in reported[0]["message"]
    assert "planted secret" not in str(reported)
