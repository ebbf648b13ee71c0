"""The states in which a connection waits, and the time limit of each."""

from math import inf
from typing import Final

from kagimori.settings import FrontLimits

UNKNOWN: Final = -1
A_REQUEST: Final = 0
A_HEAD: Final = 1
A_BODY: Final = 2
ANSWERS: Final = 3
ITS_READER: Final = 4
THE_END: Final = 5


def seconds(limits: FrontLimits, waits_for: int) -> float:
    """Return how long the wait may last; a handler's answers may take as long as they do."""
    if waits_for == A_HEAD:
        return limits.header_seconds
    if waits_for == A_BODY:
        return limits.body_seconds
    return inf if waits_for == ANSWERS else limits.idle_seconds
