"""When a worker counts as standing still."""

import asyncio
from itertools import count

from kagimori.server.heartbeat import until_silent


def asked_until_silent(answers, seconds_by_turn, **bounds):
    """Return how often was asked until the worker counted as silent."""
    asked, now = [], [0.0]
    turns = iter(seconds_by_turn)

    async def ask():
        asked.append(next(answers, False))
        now[0] += next(turns)
        return asked[-1]

    silent = until_silent(
        ask, **bounds, answer_seconds=2, pause_seconds=0, monotonic=lambda: now[0]
    )
    asyncio.run(asyncio.wait_for(silent, 30))
    return len(asked)


def test_silence_is_counted_from_the_last_answer():
    answers = iter([True, False, False, True, False])
    assert asked_until_silent(answers, (2.0 for _ in count()), silent_seconds=6) == 4 + 3


def test_time_in_which_nobody_could_hear_does_not_count():
    long_sleep = (3600.0 if turn == 0 else 2.0 for turn in count())
    assert asked_until_silent(iter([]), long_sleep, silent_seconds=6) == 3


def test_answers_keep_it_going():
    answers = iter([True] * 1000)
    assert asked_until_silent(answers, (9.0 for _ in count()), silent_seconds=2) == 1001
