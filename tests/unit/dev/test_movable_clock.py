"""The clock of `kagimori dev`: it moves forward alone, and its page answers whatever is sent."""

import asyncio
import json
import time

import pytest

from kagimori.dev.movable_clock import CLOCK_PATH, ClockDoor, MovableClock
from kagimori.rules.request import RawRequest

DAY = 86_400.0


def raw(method, target, body=b""):
    return RawRequest("id", method, target, (), body, "127.0.0.1")


def test_the_clock_goes_on_from_where_it_was_moved_to():
    clock = MovableClock()
    clock.advance(8 * DAY)
    clock.advance(-3 * DAY)
    assert clock.now() - time.time() == pytest.approx(8 * DAY, abs=5)


@pytest.mark.parametrize("seconds", [1e12, float("inf"), float("nan")])
def test_the_clock_does_not_go_beyond_what_dates_can_tell(seconds):
    clock = MovableClock()
    if seconds != seconds:
        clock.advance(seconds)  # not a number moves nothing
    else:
        with pytest.raises(ValueError, match="far"):
            clock.advance(seconds)
    assert clock.now() - time.time() == pytest.approx(0, abs=5)


def answered(*requests):
    """Return the answers of a door, what was handed on, and how often due work was done."""
    answers, others, turns = [], [], []

    async def talk():
        async def turn():
            turns.append(clock.now())

        clock = MovableClock()
        door = ClockDoor(clock, lambda raw, respond: others.append(raw.target), turn)
        for request in requests:
            door.handle(request, answers.append)
            while door._moving:
                await asyncio.sleep(0)

    asyncio.run(talk())
    return answers, others, turns


def test_the_door_tells_moves_and_hands_on():
    answers, others, turns = answered(
        raw(b"GET", CLOCK_PATH),
        raw(b"POST", CLOCK_PATH, b'{"advance_seconds": 86400}'),
        raw(b"POST", b"/"),
    )
    before, after = (json.loads(answer.body)["now"] for answer in answers)
    assert after - before == pytest.approx(DAY, abs=5)
    assert others == [b"/"]
    assert len(turns) == 1, "what is due is done before the move is answered"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"advance_seconds": "1"}', b'{"advance_seconds": 1e300}', b"\xff"]
)
def test_the_door_refuses_what_is_no_move(body):
    (answer,), _, turns = answered(raw(b"POST", CLOCK_PATH, body))
    assert (answer.status, turns) == (400, [])
