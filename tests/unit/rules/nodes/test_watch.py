"""A heartbeat stands still only before the eyes of somebody who looked, whatever clocks say."""

from kagimori.rules.nodes.watch import Watch


def test_a_heartbeat_that_stands_still_is_counted_from_when_it_was_first_seen_so():
    watch = Watch(gap_seconds=3)
    for at, count in ((100, 7), (101, 7), (102, 7)):
        watch.look({"a": count}, at)
    assert watch.still_seconds("a") == 2
    watch.look({"a": 8}, 103)
    assert watch.still_seconds("a") == 0
    assert watch.silent(1) == frozenset()


def test_any_other_count_is_a_beat_also_a_smaller_one():
    watch = Watch(gap_seconds=3)
    watch.look({"a": 900}, 0)
    watch.look({"a": 3}, 3)
    assert watch.still_seconds("a") == 0


def test_the_observers_own_pause_is_nobodys_silence():
    watch = Watch(gap_seconds=3)
    watch.look({"a": 1}, 0)
    watch.look({"a": 1}, 3600)  # the observer was paused, or the store was away
    assert watch.still_seconds("a") == 3
    watch.look({"a": 1}, 3601)
    assert watch.still_seconds("a") == 4


def test_each_node_is_watched_for_itself_and_one_that_is_gone_is_forgotten():
    watch = Watch(gap_seconds=3)
    watch.look({"a": 1, "b": 1}, 0)
    watch.look({"a": 1, "b": 2}, 3)
    watch.look({"a": 1, "b": 3}, 6)
    assert watch.silent(6) == {"a"}
    assert watch.beating(6) == {"b"}
    watch.look({"b": 4}, 7)
    assert watch.still_seconds("a") == 0
    assert watch.silent(6) == frozenset()
