"""Searches an order of one register's requests in which each saw the value that was there.

A change happened at one moment between its call and its answer. What was shown may be as old as
the promise allows, so a read's moment may lie before its call. Unknown changes happened once, at
any time after their call, or never.
"""

from dataclasses import dataclass

STEPS_MAX = 200_000


class TooManySteps(Exception):
    """The search was given up: too many changes of a register at the same time."""


@dataclass(frozen=True)
class Step:
    """A change or a sight of a register, with the times between which its moment lies."""

    number: int  # of its request
    earliest: float
    latest: float
    value: str | None = None  # what a change wrote
    sees: tuple[str, ...] | None = None  # what was there at its moment: one of these, or any
    is_sure: bool = True
    after: tuple[int, ...] = ()  # changes that it had to see, or successors of theirs


def has_order(initial: str, steps: list[Step]) -> bool:
    """Return whether the steps have an order that explains what was seen.

    A read changes nothing, so it is placed as soon as it fits; only changes are tried in every order.

    Raises:
        TooManySteps: it takes too long to say.
    """
    # Of what may never have happened, only what somebody saw can explain anything.
    seen = {value for step in steps for value in step.sees or ()}
    steps = [step for step in steps if step.is_sure or step.value in seen]
    steps = sorted(steps, key=lambda step: (step.latest, step.earliest))
    places = {step.number: place for place, step in enumerate(steps) if step.value is not None}
    before = []
    for step in steps:
        mask = 0
        for place, other in enumerate(steps):
            if other.latest >= step.earliest:
                break
            mask |= 1 << place
        for number in step.after:
            mask |= 1 << places[number]
        before.append(mask)
    changes = [place for place, step in enumerate(steps) if step.value is not None]
    reads = [place for place, step in enumerate(steps) if step.value is None]
    sure = sum(1 << place for place, step in enumerate(steps) if step.is_sure)
    # A change that may never have happened holds up nobody.
    before = [mask & sure for mask in before]
    return _search(initial, steps, before, (changes, reads), sure)


def _search(initial, steps, before, kinds, sure):
    changes, reads = kinds
    tried, left = set(), [(0, initial)]
    while left:
        done, value = left.pop()
        done = _with_reads(done, value, steps, before, reads)
        if done & sure == sure:
            return True
        if (done, value) in tried:
            continue
        tried.add((done, value))
        if len(tried) > STEPS_MAX:
            raise TooManySteps
        for place in reversed(changes):
            step = steps[place]
            if done >> place & 1 or before[place] & ~done:
                continue
            if step.sees is None or value in step.sees:
                left.append((done | 1 << place, step.value))
    return False


def _with_reads(done, value, steps, before, reads):
    for place in reads:
        if not done >> place & 1 and not before[place] & ~done and value in steps[place].sees:
            done |= 1 << place
    return done
