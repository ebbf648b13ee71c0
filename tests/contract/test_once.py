"""What is good only once: of all workers of a machine one is first."""

import multiprocessing

from kagimori.machinery import once
from kagimori.machinery.once import PERIOD_SECONDS, Once

AT = 1_795_681_800.0


def test_only_the_first_is_first(tmp_path):
    seen = Once(tmp_path)
    assert seen.is_first("a", AT)
    assert not seen.is_first("a", AT)
    assert seen.is_first("b", AT)
    seen.close()


def test_workers_hear_of_one_another(tmp_path):
    one, other = Once(tmp_path), Once(tmp_path)
    for number in range(50):
        first, second = (one, other) if number % 2 else (other, one)
        assert first.is_first(str(number), AT + number)
        assert not second.is_first(str(number), AT + number)
    one.close()
    other.close()


def test_it_outlives_a_worker(tmp_path):
    one = Once(tmp_path)
    assert one.is_first("a", AT)
    one.close()
    again = Once(tmp_path)
    assert not again.is_first("a", AT)
    again.close()


def _ask(arguments):
    folder, count = arguments
    seen = Once(folder)
    found = sum(seen.is_first(str(number), AT) for number in range(count))
    seen.close()
    return found


def test_of_processes_that_ask_at_once_one_is_first(tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(_ask, [(tmp_path, 300)] * 3)
    assert sum(found) == 300


def test_what_is_over_is_forgotten(tmp_path):
    seen = Once(tmp_path)
    for number in range(10):
        assert seen.is_first("a", AT + number * PERIOD_SECONDS)
    assert len(list(tmp_path.iterdir())) == 3
    seen.close()


def test_when_there_are_too_many_to_remember_no_more_are_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(once, "SEEN_MAX", 2)
    seen = Once(tmp_path)
    assert [seen.is_first(name, AT) for name in "abcd"] == [True, True, False, False]
    seen.close()
