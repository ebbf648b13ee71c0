"""The life of a connection as a table: in each state, what an event leads to.

`MOVES` is the declaration, which the documentation draws; `LIFE` is the same to be looked up. An
event that is not declared for a state changes nothing there. Pure: `connection.py` does the acts.
"""

from collections.abc import Iterator
from enum import IntEnum, StrEnum
from math import inf
from typing import Final, NamedTuple

from kagimori.settings import FrontLimits


class State(IntEnum):
    """The states of a connection; from LAST on, nothing more is taken for a request."""

    FRESH = 0
    IDLE = 1
    IN_HEAD = 2
    IN_BODY = 3
    OWING = 4
    HELD = 5
    STUFFED = 6
    LAST = 7
    CLOSING = 8
    LINGERING = 9
    GONE = 10


class Event(IntEnum):
    """The events in a connection's life: first those that a turn can end with."""

    PEER_IS_FULL = 0
    BYTES_HELD_BACK = 1
    BODY_BEGUN = 2
    HEAD_BEGUN = 3
    ANSWERS_OWED = 4
    NOTHING_OWED = 5
    REQUEST_TAKEN = 6
    LAST_REQUEST_TAKEN = 7
    REFUSED = 8
    EXPIRED = 9
    RETIRED = 10
    RETIRED_OWING = 11
    PUSHED = 12
    PEER_ENDED = 13
    PEER_ENDED_OWED = 14
    LAST_WRITTEN = 15
    LAST_WRITTEN_UNREAD = 16
    TURNED_AWAY = 17
    LOST = 18


class Act(StrEnum):
    """The acts of a connection when it moves; KEEP_CLOCK leaves the deadline as it was."""

    NONE = ""
    KEEP_CLOCK = "keep the deadline"
    REFUSE = "refuse with 408"
    MARK_LAST = "end with the last answer owed"
    CLOSE = "close"
    LINGER = "close our half"
    ABORT = "abort"


ABOUT: Final[dict[State, str]] = {
    State.FRESH: "connected, and nothing has come",
    State.IDLE: "everything is answered, and nothing has come since",
    State.IN_HEAD: "the head of a request has come in part",
    State.IN_BODY: "the body of a request has come in part",
    State.OWING: "answers are owed, and nothing has come since",
    State.HELD: "bytes wait until answers have gone; reading is paused",
    State.STUFFED: "the peer does not read its answers; reading is paused",
    State.LAST: "the last answers are owed",
    State.CLOSING: "everything is written, and on its way to the peer",
    State.LINGERING: "everything is written; what still comes is dropped",
    State.GONE: "the peer has gone",
}
# The limit (of `front`) that a state lasts for at most; the others last as long as answers take.
CLOCKS: Final[dict[State, str]] = {
    State.FRESH: "header_seconds",
    State.IDLE: "idle_seconds",
    State.IN_HEAD: "header_seconds",
    State.IN_BODY: "body_seconds",
    State.STUFFED: "idle_seconds",
    State.CLOSING: "idle_seconds",
    State.LINGERING: "linger_seconds",
}
_OPEN: Final = tuple(State)[: State.LAST]
_ALIVE: Final = tuple(State)[: State.CLOSING]


class Move(NamedTuple):
    """In these states, this event leads to that state, with that act."""

    states: tuple[State, ...]
    event: Event
    after: State
    act: Act = Act.NONE


MOVES: Final = (
    Move(_OPEN, Event.PEER_IS_FULL, State.STUFFED),
    Move(_OPEN, Event.BYTES_HELD_BACK, State.HELD),
    Move(_OPEN, Event.BODY_BEGUN, State.IN_BODY),
    Move((State.FRESH,), Event.HEAD_BEGUN, State.IN_HEAD, Act.KEEP_CLOCK),
    Move(_OPEN[1:], Event.HEAD_BEGUN, State.IN_HEAD),
    Move(_OPEN, Event.ANSWERS_OWED, State.OWING),
    Move((State.FRESH,), Event.NOTHING_OWED, State.FRESH),
    Move(_OPEN[1:], Event.NOTHING_OWED, State.IDLE),
    Move(_OPEN, Event.REQUEST_TAKEN, State.OWING),
    Move(_OPEN, Event.LAST_REQUEST_TAKEN, State.LAST),
    Move(_OPEN, Event.REFUSED, State.LAST),
    Move((State.FRESH, State.IDLE), Event.EXPIRED, State.CLOSING, Act.CLOSE),
    Move((State.IN_HEAD, State.IN_BODY), Event.EXPIRED, State.LAST, Act.REFUSE),
    Move((State.STUFFED,), Event.EXPIRED, State.STUFFED, Act.ABORT),
    Move((State.CLOSING,), Event.EXPIRED, State.CLOSING, Act.ABORT),
    Move((State.LINGERING,), Event.EXPIRED, State.LINGERING, Act.ABORT),
    Move(
        (State.FRESH, State.IDLE, State.HELD, State.STUFFED),
        Event.RETIRED,
        State.CLOSING,
        Act.CLOSE,
    ),
    Move((State.OWING, State.HELD, State.STUFFED), Event.RETIRED_OWING, State.LAST, Act.MARK_LAST),
    Move((State.IDLE,), Event.PUSHED, State.CLOSING, Act.CLOSE),
    *(
        Move((state,), Event.PUSHED, state, Act.ABORT)
        for state in (*_OPEN[:1], *_OPEN[2:], State.CLOSING, State.LINGERING)
    ),
    Move(_ALIVE, Event.PEER_ENDED, State.CLOSING),
    Move(_ALIVE, Event.PEER_ENDED_OWED, State.LAST, Act.MARK_LAST),
    Move((State.LAST,), Event.LAST_WRITTEN, State.CLOSING, Act.CLOSE),
    Move((State.LAST,), Event.LAST_WRITTEN_UNREAD, State.LINGERING, Act.LINGER),
    Move((State.FRESH,), Event.TURNED_AWAY, State.CLOSING, Act.CLOSE),
    Move(tuple(State)[:-1], Event.LOST, State.GONE),
)


def _steps() -> Iterator[tuple[tuple[State, Act], ...]]:
    """Yield, for each state, what each event leads to."""
    declared = {
        (state, move.event): (move.after, move.act) for move in MOVES for state in move.states
    }
    for state in State:
        yield tuple(declared.get((state, event), (state, Act.NONE)) for event in Event)


LIFE: Final = tuple(_steps())


def seconds_of(limits: FrontLimits) -> tuple[float, ...]:
    """Return how long each state may last."""
    return tuple(getattr(limits, CLOCKS[state]) if state in CLOCKS else inf for state in State)
