"""Stored denials: numbered on over restarts, and carried over to the streams of a node."""

import pytest

from kagimori.entities.tables import DENIALS, TABLES
from kagimori.machinery.store.engines import engine_of
from kagimori.rules.authorization.denial import SLOTS, Denial, Denials, slots_of

NODE, OTHER = "k7q2m5x3ab", "aaaaaaaaaa"


@pytest.fixture
def database(place):
    opened = engine_of(place).open(f"{NODE}-w0", tuple(TABLES.values()))
    yield opened
    opened.close()


def denial(number, slot=""):
    return Denial(
        slot=slot,
        request_id=f"r{number}",
        account_id="1" * 12,
        at=float(number),
        caller="arn:aws:iam::111111111111:user/älice",
        action="kms:ListKeys",
        resource="*",
        reason="no",
        policies=[],
        grants=[],
        suggestion="ask",
    )


def note(database, *denials):
    database.commit_all((), (), [(DENIALS, one) for one in denials])


def deny(database, stream, numbers):
    """Store denials as a worker does that has just started."""
    waiting = Denials(stream, database.newest_version(DENIALS, slots_of(stream)))
    for number in numbers:
        waiting.add(denial(number))
    note(database, *waiting.take())


def slots(database):
    return {one.slot: one.request_id for one in database.page(DENIALS, (), None, None, None)}


def test_a_start_goes_on_where_the_last_one_stopped(database):
    deny(database, "n-w0", range(1, 4))
    deny(database, "n-w0", range(4, 6))
    deny(database, "n-w1", range(6, 7))
    assert slots(database) == {
        **{f"n-w0/{number:05}": f"r{number}" for number in range(1, 6)},
        "n-w1/00001": "r6",
    }


def test_once_all_slots_are_taken_the_oldest_is_written_over_after_a_start_too(database):
    last = Denials("n-w0", SLOTS - 2)
    for number in (1, 2, 3):
        last.add(denial(number))
    note(database, *last.take())
    assert list(slots(database)) == ["n-w0/00000", "n-w0/00001", "n-w0/09999"]
    deny(database, "n-w0", [4])
    assert slots(database)["n-w0/00002"] == "r4"
    assert database.newest_version(DENIALS, "n-w0/") == SLOTS + 2


def test_denials_of_before_are_carried_over_in_the_order_of_their_time(database):
    # Each start of an older server began with slot 1 again.
    note(database, denial(5, "w0/00001"), denial(3, "w0/00002"), denial(4, "w0/00003"))
    note(database, denial(2, "w1/00007"), denial(1, "w0-2/00001"))
    assert database.adopt_denials(NODE) == 5
    assert slots(database) == {
        f"{NODE}-w0/00001": "r3",
        f"{NODE}-w0/00002": "r4",
        f"{NODE}-w0/00003": "r5",
        f"{NODE}-w1/00001": "r2",
        f"{NODE}-w0-2/00001": "r1",
    }
    assert database.adopt_denials(NODE) == 0
    deny(database, f"{NODE}-w0", [6])
    assert slots(database)[f"{NODE}-w0/00004"] == "r6"
    (found,) = database.page(DENIALS, ("r3",), None, 1, "by_request")
    assert found.caller.endswith("user/älice")


def test_those_of_a_node_whose_id_was_lost_follow_those_that_are_there(database):
    deny(database, f"{NODE}-w0", [1])
    deny(database, f"{OTHER}-w0", [2, 3])
    assert database.adopt_denials(NODE) == 2
    assert slots(database) == {f"{NODE}-w0/0000{number}": f"r{number}" for number in (1, 2, 3)}
    assert database.adopt_denials(OTHER) == 3
    assert slots(database) == {f"{OTHER}-w0/0000{number}": f"r{number}" for number in (1, 2, 3)}
