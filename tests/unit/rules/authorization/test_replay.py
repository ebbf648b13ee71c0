"""What becomes of a recorded request: allowed then, by today's policies, by the proposed one."""

import pytest

from kagimori.rules.authorization.replay import Change, Tally, change_of

FAILS, PASSES = Change.NEWLY_FAILS, Change.NEWLY_PASSES
UNCERTAIN, ALREADY, SAME = Change.UNCERTAIN, Change.FAILS_ALREADY, Change.SAME


@pytest.mark.parametrize(
    ("recorded", "now", "proposed", "change"),
    [
        (True, True, True, SAME),
        (True, True, False, FAILS),
        (True, True, None, UNCERTAIN),
        (True, None, True, SAME),
        (True, None, False, FAILS),
        (True, None, None, UNCERTAIN),
        (True, False, True, SAME),
        (True, False, False, ALREADY),
        (True, False, None, ALREADY),
        (False, True, True, SAME),
        (False, True, False, SAME),
        (False, False, True, PASSES),
        (False, False, False, SAME),
        (False, False, None, UNCERTAIN),
        (False, None, True, PASSES),
        (False, None, False, SAME),
        (False, None, None, UNCERTAIN),
    ],
)
def test_what_becomes_of_it(recorded, now, proposed, change):
    assert change_of(recorded, now, proposed) is change


def test_groups_have_their_first_and_last_time_and_the_largest_comes_first():
    tally = Tally()
    for caller, at in (("a", "2"), ("b", "3"), ("b", "1")):
        tally.request(at)
        tally.add(FAILS, caller=caller, action="kms:Decrypt", why="w", at=at)
    assert [(one.caller, one.count, one.first, one.last) for one in tally.of(FAILS)] == [
        ("b", 2, "1", "3"),
        ("a", 1, "2", "2"),
    ]
    shown = tally.as_json()
    assert (shown["requests"], shown["first"], shown["last"]) == (3, "1", "3")
    assert "same" not in shown
