"""The checker of histories: each rule finds a history made to break it, and no other history.

What is explained must be explained, too: a checker that refuses everything finds nothing.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from histories import rules
from histories.history import (
    ABSENT,
    NEVER,
    OK,
    REFUSED,
    UNKNOWN,
    Fault,
    History,
    Read,
    Write,
    read_history,
)
from histories.order import Step, TooManySteps, has_order
from histories.rules import violations

STATE, TAG, GRANT, ALIAS = "state/k", "tag/k/a", "grant/k/1", "alias/a"


def history(*requests, initial=None, faults=()):
    """A history of (client@node, from, to, what) with shorthand for what it was."""
    made = History("by hand", initial or {STATE: "Enabled"})
    made.faults = [Fault(*fault) for fault in faults]
    for who, called, done, *events in requests:  # `events` is a list of its own
        client, _, node = who.partition("@")
        outcome = OK
        if events[-1] in (UNKNOWN, REFUSED):
            outcome = events.pop()
        made.add(
            client=client, node=node or "n1", name="Tried", called=called, outcome=outcome,
            done=NEVER if outcome == UNKNOWN else done,
            writes=tuple(one for one in events if isinstance(one, Write)),
            reads=tuple(one for one in events if isinstance(one, Read)),
        )  # fmt: skip
    return made


def to(value, register=STATE, needs=None):
    return Write(register, value, needs)


def saw(value, register=STATE):
    return Read(register, (value,))


def used(value="Enabled", register=STATE):
    return Read(register, (value,), is_use=True)


MUST_FAIL = {
    "own change, not seen by its own client": (
        rules.OWN_CHANGE,
        history(("a", 0, 1, to("Disabled")), ("a", 1.1, 1.2, saw("Enabled"))),
    ),
    "own change, not seen by another worker of the node": (
        rules.OWN_CHANGE,
        history(("a@n1", 0, 1, to("Disabled")), ("b@n1", 1.01, 1.2, saw("Enabled"))),
    ),
    "own node's change, although other nodes change it as well": (
        rules.OWN_CHANGE,
        history(
            ("a@n2", 0, 0.5, to("Enabled")),
            ("a@n1", 1, 1.1, to("Disabled")),
            ("b@n1", 1.2, 1.3, saw("Enabled")),
        ),
    ),
    "seen, and then not seen any more": (
        rules.DENIED,
        history(
            ("a", 0, 9, to("Disabled")),
            ("b", 1, 2, saw("Disabled")),
            ("b", 3, 4, saw("Enabled")),
        ),
    ),
    "another node, later than the bound": (
        rules.BOUND,
        history(("a@n1", 0, 1, to("Disabled")), ("b@n2", 2.1, 2.2, saw("Enabled"))),
    ),
    "a fault that was over long ago": (
        rules.BOUND,
        history(
            ("a@n1", 20, 21, to("Disabled")),
            ("b@n2", 22.1, 22.2, saw("Enabled")),
            faults=[("cut", "n2", 5, 15)],
        ),
    ),
    "a node that was cut off, later than its bound": (
        rules.DENIED,
        history(
            ("a@n1", 0, 1, to("Disabled")),
            ("b@n2", 7, 7.1, saw("Enabled")),
            faults=[("cut", "n2", 0, 60)],
        ),
    ),
    "use of a disabled key": (
        rules.USE,
        history(("a@n1", 0, 1, to("Disabled")), ("b@n2", 2.1, 2.2, used())),
    ),
    "use by a revoked grant": (
        rules.USE,
        history(
            ("a@n1", 0, 1, to("there", GRANT)),
            ("a@n1", 2, 3, to(ABSENT, GRANT)),
            ("b@n2", 4.01, 4.1, used("there", GRANT)),
        ),
    ),
    "a success that is gone for good": (
        rules.DENIED,
        history(
            ("a", 0, 1, to("k1", ALIAS)),
            ("a", 2, 3, saw("k1", ALIAS)),
            ("a", 60, 61, saw(ABSENT, ALIAS)),
        ),
    ),
    "two tags at once, of which one is gone": (
        rules.LOST,
        history(
            ("a", 0, 1, to("1", TAG)),
            ("b", 0, 1, to("2", "tag/k/b")),
            ("a", 1.1, 1.3, saw(ABSENT, TAG), saw("2", "tag/k/b")),
        ),
    ),
    "a refused change that is seen": (
        rules.REFUSED_CHANGE,
        history(("a", 0, 1, to("Disabled"), REFUSED), ("b", 2, 3, saw("Disabled"))),
    ),
    "a value out of nowhere": (rules.INVENTED, history(("b", 2, 3, saw("Disabled")))),
    "a value from the future": (
        rules.EARLY,
        history(("b", 0, 1, saw("Disabled")), ("a", 1.5, 2, to("Disabled"))),
    ),
    "a lost answer, whose change happens twice": (
        rules.TWICE,
        history(
            ("a", 0, 1, to("lost", ALIAS), UNKNOWN),
            ("b", 2, 3, saw("lost", ALIAS)),
            ("b", 4, 5, to("new", ALIAS)),
            ("b", 6, 7, saw("lost", ALIAS)),
        ),
    ),
    "a cancelled deletion that nobody scheduled": (
        rules.WRONG_STATE,
        history(("a", 0, 1, to("Disabled", needs=("PendingDeletion",)))),
    ),
    "two who both created the same alias": (
        rules.WRONG_STATE,
        history(
            ("a", 0, 1, to("k1", ALIAS, needs=(ABSENT,))),
            ("b", 0, 1, to("k2", ALIAS, needs=(ABSENT,))),
        ),
    ),
}

MUST_PASS = {
    "nothing": history(),
    "overlapping changes, in either order": history(
        ("a", 0, 5, to("Disabled")), ("b", 0, 5, to("Enabled")), ("c", 6, 7, saw("Disabled"))
    ),
    "a read beside a change sees either": history(
        ("a", 0, 5, to("Disabled")), ("b", 1, 2, saw("Enabled")), ("c", 1, 2, saw("Disabled"))
    ),
    "another node is late, within the bound": history(
        ("a@n1", 0, 1, to("Disabled")), ("b@n2", 1.9, 2.2, used())
    ),
    "a node that was cut off is late, within its bound": history(
        ("a@n1", 0, 1, to("Disabled")),
        ("b@n2", 5.9, 6, used()),
        faults=[("cut", "n2", 0, 60)],
    ),
    "a fault of every node": history(
        ("a@n1", 0, 1, to("Disabled")), ("b@n2", 4, 4.1, used()), faults=[("killed", "", 0, 4)]
    ),
    "a lost answer: it happened": history(
        ("a", 0, 1, to("Disabled"), UNKNOWN), ("b", 2, 3, saw("Disabled"))
    ),
    "a lost answer: it happened late": history(
        ("a", 0, 1, to("Disabled"), UNKNOWN),
        ("b", 2, 3, saw("Enabled")),
        ("b", 8, 9, saw("Disabled")),
    ),
    "a lost answer: it never happened": history(
        ("a", 0, 1, to("Disabled"), UNKNOWN), ("b", 2, 3, saw("Enabled"))
    ),
    "a refused change that did not happen": history(
        ("a", 0, 1, to("Disabled"), REFUSED), ("b", 2, 3, saw("Enabled"))
    ),
    "scheduled by an unknown request, and cancelled": history(
        ("a", 0, 1, to("PendingDeletion"), UNKNOWN),
        ("b", 2, 3, to("Disabled", needs=("PendingDeletion",))),
        ("b", 4, 5, saw("Disabled")),
    ),
    "the same value again, written again": history(
        ("a", 0, 1, to("Disabled")), ("a", 2, 3, to("Enabled")), ("b", 4, 5, used())
    ),
    "nodes disagree, within the bound": history(
        ("a@n1", 0, 1, to("Disabled")),
        ("b@n2", 1.1, 1.2, saw("Disabled")),
        ("c@n3", 1.3, 1.4, saw("Enabled")),
    ),
}


@pytest.mark.parametrize("name", MUST_FAIL)
def test_a_history_that_breaks_a_rule_is_found_by_its_name(name, tmp_path):
    rule, made = MUST_FAIL[name]
    assert [one.rule for one in violations(made)] == [rule]
    file = tmp_path / "history.jsonl"
    made.write(file)
    again = subprocess.run(
        [sys.executable, "-m", "histories", file],
        cwd=Path(__file__).parents[1], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": "."}, timeout=60,
    ) if name.startswith("use of") else None  # fmt: skip
    assert violations(read_history(file)) == violations(made)
    assert again is None or (again.returncode, rule in again.stdout) == (1, True)


@pytest.mark.parametrize("name", MUST_PASS)
def test_a_history_that_keeps_them_is_explained(name):
    assert violations(MUST_PASS[name]) == []


def test_every_rule_has_a_history_that_breaks_it():
    assert {rule for rule, _ in MUST_FAIL.values()} == set(rules.RULES)


def lived(chance, requests):
    """A history as a true register makes it, with clients, overlaps, lateness and lost answers."""
    made = History("lived", {STATE: "v0"})
    moments = sorted(chance.uniform(0, requests / 4) for _ in range(requests))
    values, free = [(-99.0, "v0", "n0")], dict.fromkeys("abcdef", 0.0)
    for number, moment in enumerate(moments):
        client = chance.choice([one for one in free if free[one] <= moment] or [f"g{number}"])
        node = chance.choice(("n1", "n2", "n3"))
        called = max(free.get(client, 0.0), moment - chance.random())
        done = free[client] = moment + chance.random()
        members = {"client": client, "node": node, "name": "Tried", "called": called}
        if chance.random() < 0.4:
            is_lost = chance.random() < 0.2
            if not is_lost or chance.random() < 0.5:
                values.append((moment, f"v{number}", node))
            made.add(
                **members, done=NEVER if is_lost else done, outcome=UNKNOWN if is_lost else OK,
                writes=(to(f"v{number}"),),
            )  # fmt: skip
            continue
        must = max(
            (at for at, _, by in values if at <= moment and (by == node or at <= moment - 1.0)),
            default=-99.0,
        )
        seen = chance.choice([value for at, value, _ in values if must <= at <= moment])
        made.add(**members, done=done, outcome=OK, reads=(saw(seen),))
    return made


@pytest.mark.parametrize("seed", range(60))
def test_whatever_a_true_register_does_is_explained(seed):
    assert violations(lived(random.Random(seed), 60)) == []


@pytest.mark.parametrize("seed", range(20))
def test_the_search_agrees_with_trying_every_order(seed):
    chance, found = random.Random(seed), set()
    for _ in range(150):
        steps = []
        for number in range(5):
            begin = chance.uniform(0, 4)
            value = chance.choice("xyz")
            change = {"value": value} if chance.random() < 0.5 else {"sees": (value,)}
            steps.append(Step(number, begin, begin + chance.uniform(0, 2), **change))
        said = has_order("x", steps)
        found.add(said)
        assert said == tried_every_order("x", steps)
    assert found == {True, False}


def tried_every_order(value, left):
    if not left:
        return True
    first_end = min(step.latest for step in left)
    for step in left:
        if step.earliest > first_end:
            continue
        if step.sees is not None and value not in step.sees:
            continue
        rest = [other for other in left if other is not step]
        if tried_every_order(value if step.value is None else step.value, rest):
            return True
    return False


def test_a_search_that_takes_too_long_says_so(monkeypatch):
    monkeypatch.setattr("histories.order.STEPS_MAX", 50)
    steps = [Step(number, 0, 9, value=f"{number}") for number in range(12)]
    with pytest.raises(TooManySteps):
        has_order("x", [*steps, Step(99, 0, 9, sees=("nothing",))])
