"""What cannot be taken back goes by a time that runs no faster than time passes."""

import pytest

from kagimori.dev.movable_clock import MovableClock
from kagimori.machinery.clock import STEP_SECONDS_MAX, Clock, SteadyTime, jump_text

YEAR = 365 * 86_400.0


class World:
    """A clock that can be set, and the time that really passes."""

    def __init__(self):
        self.shown, self.passed, self.jumps = 1_800_000_000.0, 50.0, []
        self.steady = SteadyTime(lambda: self.shown, self.jumps.append, lambda: self.passed)

    def wait(self, seconds):
        self.shown += seconds
        self.passed += seconds


def test_it_is_the_time_of_day():
    world = World()
    for _ in range(10):
        world.wait(86_400)
        assert world.steady.now() == world.shown
    assert not world.jumps


def test_after_a_jump_ahead_it_goes_on_from_where_it_was():
    world = World()
    before = world.shown
    world.shown += YEAR
    for waited in range(5):
        assert world.steady.now() == before + waited
        world.wait(1)
    assert world.jumps == [YEAR], "one line for one jump"
    world.shown -= YEAR
    assert world.steady.now() == world.shown


def test_small_steps_ahead_are_taken():
    world = World()
    for _ in range(100):
        world.wait(1000)
        world.shown += STEP_SECONDS_MAX
        assert world.steady.now() == world.shown
    assert not world.jumps


@pytest.mark.parametrize("back", [300.0, YEAR])
def test_a_jump_back_is_taken_and_so_is_the_return(back):
    world = World()
    world.shown -= back
    assert world.steady.now() == world.shown
    world.wait(10)
    world.shown += back
    assert world.steady.now() == world.shown
    assert not world.jumps


def test_a_clock_of_tests_is_moved_on_purpose():
    clock = MovableClock()
    steady = clock.steady(lambda _: None)
    clock.advance(YEAR)
    assert abs(steady() - clock.now()) < 5
    assert abs(Clock().steady(lambda _: None)() - Clock().now()) < 5
    assert "jumped ahead by 7 seconds" in jump_text(7.2)
