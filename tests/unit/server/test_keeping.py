"""What has ended is started again, after pauses that grow, and not once a server stops."""

import asyncio

import pytest

from kagimori.server import keeping
from kagimori.server.keeping import PAUSE_SECONDS_MAX, Restarts, next_pause


def test_pauses_grow_while_lives_are_short_and_are_forgotten_after_a_long_one():
    pauses = [0.0]
    for _ in range(12):
        pauses.append(next_pause(pauses[-1], lived_seconds=0.1))
    assert pauses[1:4] == [0.05, 0.1, 0.2]
    assert pauses[-1] == PAUSE_SECONDS_MAX
    assert next_pause(pauses[-1], lived_seconds=60.0) == 0.0


def test_each_end_is_counted_and_followed_by_a_start_until_stopping(monkeypatch):
    monkeypatch.setattr(keeping, "PAUSE_SECONDS_MIN", 0.0)
    done = []
    restarts = Restarts(on_started=lambda: done.append("told"))

    async def ended():
        done.append("ended")
        if done.count("ended") == 3:
            restarts.stopping.set()

    async def start():
        done.append("started")

    asyncio.run(restarts.keep("trail", ended, start))
    assert done == ["ended", "started", "told"] * 2 + ["ended"]
    assert restarts.counts == {"hsm": 0, "trail": 2, "worker": 0, "token": 0}


def test_nothing_is_started_once_it_stops():
    restarts = Restarts(on_started=lambda: pytest.fail("nothing was started"))
    restarts.stopping.set()

    async def never():
        pytest.fail("nobody asked")

    asyncio.run(restarts.keep("hsm", never, never))
