"""Bounds the cost of one decision: counts steps while policies are evaluated.

Whoever writes policies, and whoever sends the values they are held against, may make both long.
Every matcher here takes time linear in the value, but there may be thousands of them, and one
worker serves everybody. So the steps are counted, and when they are used up the request is denied.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

# A third of a second of one processor. The policies of a caller that uses every quota of IAM, and
# a key policy of 32 KB, take less than a tenth of it with values of usual length.
REQUEST_STEPS_MAX: Final = 8_000_000

# For what no request asks, like the replay of an audit trail.
UNLIMITED: Final = 1 << 100


class OutOfSteps(BaseException):
    """The steps of a request are used up.

    It is no `Exception`, so that no catch-all mistakes it for a condition that failed.
    """


class Steps(Struct, eq=False, gc=False):
    """The steps that are left to one request."""

    left: int = REQUEST_STEPS_MAX

    def take(self, count: int) -> None:
        """Use up `count` steps.

        Raises:
            OutOfSteps: there were fewer.
        """
        self.left -= count
        if self.left < 0:
            raise OutOfSteps

    @property
    def are_used_up(self) -> bool:
        return self.left < 0


class Cost(Struct, frozen=True):
    """Return how many steps it takes to hold one value against patterns."""

    each: int = 0
    per_character: int = 0

    def of(self, values: Iterable[str]) -> int:
        """Return the steps for some values."""
        return sum(self.each + self.per_character * len(value) for value in values)


NOTHING: Final = Cost()


def total(costs: Iterable[Cost]) -> Cost:
    """Return the cost of several patterns together."""
    listed = list(costs)
    return Cost(sum(c.each for c in listed), sum(c.per_character for c in listed))
