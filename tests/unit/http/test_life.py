"""The table of a connection's life: whole, without contradictions, and bounded in time."""

import pytest

from kagimori.http.life import ABOUT, CLOCKS, LIFE, MOVES, Act, Event, State, seconds_of
from kagimori.settings import FrontLimits

OPEN = [state for state in State if state < State.LAST]
ENDS_OF_A_TURN = [event for event in Event if event <= Event.NOTHING_OWED]


def test_no_event_is_declared_twice_for_a_state():
    declared = [(state, move.event) for move in MOVES for state in move.states]
    assert len(declared) == len(set(declared))


def test_every_state_is_described_and_reached():
    assert set(ABOUT) == set(State)
    assert {move.after for move in MOVES} == set(State)
    assert set(Event) == {move.event for move in MOVES}


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize("event", ENDS_OF_A_TURN)
def test_each_end_of_a_turn_leads_to_a_state_where_requests_are_taken(state, event):
    after, _ = LIFE[state][event]
    assert after < State.LAST


@pytest.mark.parametrize("state", [one for one in State if one >= State.LAST])
@pytest.mark.parametrize("event", Event)
def test_no_way_leads_back_to_taking_requests(state, event):
    after, _ = LIFE[state][event]
    assert after >= State.LAST


@pytest.mark.parametrize("state", [one for one in State if one is not State.GONE])
def test_a_state_without_a_clock_waits_for_our_own_answers_alone(state):
    is_bounded = state in CLOCKS
    assert is_bounded or state in (State.OWING, State.HELD, State.LAST)
    _, act = LIFE[state][Event.EXPIRED]
    assert (act is not Act.NONE) is is_bounded


def test_the_first_byte_of_a_first_request_wins_no_time():
    assert LIFE[State.FRESH][Event.HEAD_BEGUN] == (State.IN_HEAD, Act.KEEP_CLOCK)
    assert CLOCKS[State.FRESH] == CLOCKS[State.IN_HEAD]


@pytest.mark.parametrize("state", State)
def test_whoever_is_lost_is_gone_for_good(state):
    assert LIFE[state][Event.LOST][0] is State.GONE
    assert {after for after, _ in LIFE[State.GONE]} == {State.GONE}


def test_seconds_are_those_of_the_limits():
    limits = FrontLimits(header_seconds=3.0, idle_seconds=5.0)
    seconds = seconds_of(limits)
    assert seconds[State.FRESH] == seconds[State.IN_HEAD] == 3.0
    assert seconds[State.IDLE] == seconds[State.STUFFED] == 5.0
