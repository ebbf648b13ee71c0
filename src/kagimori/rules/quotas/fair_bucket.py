"""One quota of one account: a token bucket that its principals share fairly.

A request is admitted if its principal has used no more in the last second than what the bucket
still holds (of both, an older use counts less and less). One bound for all of them at any moment:
if a principal is refused, so is everybody who has used as much or more. A busy principal alone
gets the whole rate and keeps the bucket half full; the other half is for whoever comes.

A request may cost more than what is left: the bucket then owes it, and nothing more is admitted
until that is paid back. So dear requests are not refused for ever among many cheap ones.

Each worker has a copy of the bucket. It writes what it admits into counts of its own and reads
those of the others, so all copies come to the same level without asking one another. Of several
nodes each has a share of the rate, which changes with what is asked of each (`node_shares.py`).
"""

from array import array
from collections.abc import Sequence
from math import exp
from typing import Final, Protocol

# A principal is counted in one cell of each row; it has used what the smaller of both says.
CELLS: Final = 64
ROWS: Final = 2
# Two seconds of its rate: one of them at once for a principal that is alone, one for the others.
CAPACITY_SECONDS: Final = 2.0
CAPACITY_MIN: Final = 2.0
# How soon a use counts less: after so long a third of it is left.
USE_SECONDS: Final = 1.0
# A request may be counted a little after another one that came later.
_WAITED_SECONDS: Final = 1.0
_FORGOTTEN_AFTER: Final = 30.0
_SCALE_MAX: Final = 1e12

# The counts of one worker for one bucket: all it admitted, its level and when, all it refused and
# the rate of all nodes, then the cells.
TOTAL: Final = 0
LEVEL: Final = 1
AT: Final = 2
REFUSED: Final = 3
RATE: Final = 4
FIRST_CELL: Final = 5
COUNTS: Final = FIRST_CELL + ROWS * CELLS

Cells = tuple[int, int]


class Counts(Protocol):
    """Numbers in memory that workers may share."""

    def __getitem__(self, place: int, /) -> float:
        """Return the number at a place."""

    def __setitem__(self, place: int, number: float, /) -> None:
        """Set the number at a place."""


# The share of a node that is alone, and its even part.
WHOLE: Final[Counts] = array("d", [1.0, 1.0])


class FairBucket:
    """A worker's copy of a bucket; `own` are its counts, `peers` those of the other workers.

    Uses are kept in units that grow with time (`_scale`), so that none has to be made smaller.
    """

    __slots__ = (
        "_at", "_capacity", "_level", "_own", "_part", "_peers", "_rate", "_scale", "_seen",
        "_share", "_taken", "_uses", "_whole",
    )  # fmt: skip

    def __init__(
        self,
        rate: float,
        now: float,
        own: Counts | None = None,
        peers: Sequence[Counts] = (),
        *,
        part: float = 1.0,
        share: Counts = WHOLE,
    ) -> None:
        """Make a copy that has a `part` of the rate: all of it, if the workers share counts.

        The number at the first place of `share` is this node's share, from 0 to 1, at each moment.
        The next is its even part: the bucket holds no less than that is worth, for whoever comes.
        """
        self._part, self._share, self._whole = part, share, rate * part
        self._take_share()
        self._own: Counts = array("d", bytes(8 * COUNTS)) if own is None else own
        self._own[RATE] = rate
        self._peers = tuple(peers)
        self._at, self._scale = now, 1.0
        self._uses = array("d", bytes(8 * ROWS * CELLS))
        # What each place of the others' counts was when it was last looked at.
        self._seen = array("d", [sum(peer[i] for peer in peers) for i in range(COUNTS)])
        self._level = min(self._level_in(counts, now) for counts in (self._own, *self._peers))
        self._own[LEVEL], self._own[AT] = self._level, now

    @property
    def rate(self) -> float:
        """The tokens that come back in a second."""
        return self._rate

    @property
    def level(self) -> float:
        """The tokens that were left when it was last asked."""
        return self._level

    def set_rate(self, rate: float) -> None:
        """Have another rate from now on."""
        self._whole, self._own[RATE] = rate * self._part, rate
        self._take_share()
        self._level = min(self._level, self._capacity)

    def take(self, cells: Cells, cost: float, now: float) -> bool:
        """Count a request of the principal in these cells, and return whether it is admitted."""
        own, elapsed = self._own, now - self._at
        if elapsed > 0.0:
            self._at = own[AT] = now
            if self._share[0] != self._taken:
                self._take_share()
            self._level = own[LEVEL] = min(self._capacity, self._level + elapsed * self._rate)
            self._scale *= exp(elapsed / USE_SECONDS) if elapsed < _FORGOTTEN_AFTER else _SCALE_MAX
            if self._scale >= _SCALE_MAX:
                self._rescale()
        elif elapsed < -_WAITED_SECONDS:  # a clock that was set back refills nothing
            self._at = own[AT] = now
        peers, uses, scale = self._peers, self._uses, self._scale
        first, second = cells
        if peers:
            self._learn(TOTAL, 1.0)
            self._learn(FIRST_CELL + first, scale)
            self._learn(FIRST_CELL + second, scale)
        level = self._level
        one, other = uses[first], uses[second]
        bound = level * scale
        if one > bound and other > bound:
            own[REFUSED] += cost
            return False
        self._level = own[LEVEL] = level - cost
        uses[first] = one + cost * scale
        uses[second] = other + cost * scale
        own[TOTAL] += cost
        if peers:  # nobody else reads these
            own[FIRST_CELL + first] += cost
            own[FIRST_CELL + second] += cost
        return True

    def give_back(self, cells: Cells, cost: float) -> None:
        """Undo a take of just now, because the request is refused for another reason."""
        self._level += cost
        self._own[LEVEL] = self._level
        for cell in cells:
            self._uses[cell] -= cost * self._scale
        self._own[TOTAL] -= cost
        if self._peers:
            for cell in cells:
                self._own[FIRST_CELL + cell] -= cost

    def is_full(self, now: float) -> bool:
        """Return whether it is as a new one would be."""
        return self._level + (now - self._at) * self._rate >= self._capacity

    def _take_share(self) -> None:
        """Have the rate that this node's share of it is now."""
        self._taken = self._share[0]
        self._rate = self._whole * self._taken
        self._capacity = capacity_of(self._whole * max(self._taken, self._share[1]))

    def _rescale(self) -> None:
        """Begin anew with units of 1; what was used so long ago is next to nothing."""
        self._uses = array("d", [use / self._scale for use in self._uses])
        self._scale = 1.0

    def _learn(self, place: int, scale: float) -> None:
        """Count the requests that the other workers have admitted since the last look."""
        found = 0.0
        for peer in self._peers:
            found += peer[place]
        new = found - self._seen[place]
        if new == 0.0:
            return
        self._seen[place] = found
        if place == TOTAL:
            self._level -= new
        else:
            self._uses[place - FIRST_CELL] += new * scale

    def _level_in(self, counts: Counts, now: float) -> float:
        """Return the level by the counts of a worker, of which some may have ended since."""
        if not counts[AT]:  # it has never asked
            return self._capacity
        refilled = counts[LEVEL] + max(0.0, now - counts[AT]) * self._rate
        return min(self._capacity, refilled)


def capacity_of(rate: float) -> float:
    """Return how many tokens a bucket of this rate holds."""
    return max(CAPACITY_MIN, rate * CAPACITY_SECONDS)
