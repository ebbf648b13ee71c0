"""A follower that one node at a time runs: the other goes on where the first one was."""

import json

import pytest

from kagimori.entities.node_tables import LEASES
from kagimori.entities.tables import TABLES
from kagimori.machinery.store.admin import open_store
from kagimori.ports import Put
from kagimori.rules.entity import changed
from kagimori.rules.nodes.node import TIME, Lease
from kagimori.rules.records.service_event import journal_event
from kagimori.trail.alone import CATCH_UP_SECONDS, AloneFollower


class Counting:
    """A follower that keeps in a file how many turns were taken, by whomever."""

    name = "counting"

    def __init__(self, file, log):
        self.file, self.log, self.closed = file, log, False
        self.count = json.loads(file.read_bytes()) if file.exists() else 0

    def turn(self, *, stopping):
        self.count += 1
        self.log.append(self.count)
        self.file.write_text(json.dumps(self.count))
        return 60.0

    def standing(self):
        return "it stands"

    def close(self):
        self.closed = True


class Node:
    def __init__(self, folder, name, log):
        self.name, self.database, self.elapsed, self.made = name, folder / "kagimori.db", 0.0, []
        self.file, self.log = folder / f"{name}.json", log
        self.follower = AloneFollower(
            "counting",
            self.make,
            node=name,
            file=self.file,
            open_store=self.open,
            monotonic=lambda: self.elapsed,
        )

    def make(self):
        self.made.append(Counting(self.file, self.log))
        return self.made[-1]

    def open(self):
        return open_store(self.database, tuple(TABLES.values()), writer=f"{self.name}-admin")

    def turn(self):
        return self.follower.turn(stopping=False)


@pytest.fixture
def log():
    return []


@pytest.fixture
def nodes(tmp_path, log):
    pair = Node(tmp_path, "one", log), Node(tmp_path, "other", log)
    yield pair
    for node in pair:
        node.follower.close()


def give_lease(node, number):
    record = journal_event(event_id=f"e{number}", now=1.0, name="n", region="us-east-1", details={})
    with node.open() as store:
        lease = store.one(LEASES, (TIME,))
        successor = Lease(holder=node.name) if lease is None else changed(lease, holder=node.name)
        store.commit((Put(LEASES, successor, lease),), record)


def test_nobody_runs_it_before_somebody_has_the_lease(nodes, log):
    for node in nodes:
        node.turn()
    assert log == []


def test_each_step_is_taken_once_whoever_has_the_lease(nodes, log):
    one, other = nodes
    for number, holder in enumerate((one, other, one)):
        give_lease(holder, number)
        for _ in range(3):
            for node in nodes:
                node.turn()
    assert log == list(range(1, 10))


def test_who_loses_the_lease_lets_go(nodes):
    one, other = nodes
    give_lease(one, 1)
    one.turn()
    assert one.follower.standing() == "it stands"
    give_lease(other, 2)
    one.turn()
    assert [made.closed for made in one.made] == [True]
    assert one.follower.standing() is None


def test_the_others_know_how_far_it_is_so_that_they_may_retire_files(nodes):
    one, other = nodes
    give_lease(one, 1)
    one.turn()
    other.turn()
    assert json.loads(other.file.read_bytes()) == 1
    one.turn()
    other.turn()
    assert json.loads(other.file.read_bytes()) == 1, "not at every turn"
    other.elapsed += CATCH_UP_SECONDS
    other.turn()
    assert json.loads(other.file.read_bytes()) == 2


def test_one_that_starts_takes_the_state_before_anything_else(nodes, tmp_path, log):
    one, _ = nodes
    give_lease(one, 1)
    one.turn()
    later = Node(tmp_path, "later", log)
    assert json.loads(later.file.read_bytes()) == 1
    later.follower.close()


def test_two_that_both_believe_they_hold_the_lease_do_not_both_move_the_place(nodes, log):
    one, other = nodes
    give_lease(one, 1)
    one.turn()
    (paused,) = one.made
    take = paused.turn

    def turn(*, stopping):  # meanwhile the other one takes the lease and goes on
        give_lease(other, 2)
        for _ in range(3):
            other.turn()
        return take(stopping=stopping)

    paused.turn = turn
    one.turn()
    assert log == [1, 2, 3, 4, 2], "what it was about to send is sent twice"
    assert paused.closed
    assert json.loads(one.file.read_bytes()) == 4, "and it goes on from where the other is"
    one.turn()
    other.turn()
    assert log == [1, 2, 3, 4, 2, 5]


def test_a_lease_that_went_and_came_back_begins_anew(nodes, log):
    one, other = nodes
    give_lease(one, 1)
    one.turn()
    give_lease(other, 2)
    other.turn()
    give_lease(one, 3)
    one.turn()
    assert log == [1, 2, 3]
    assert [made.closed for made in one.made] == [True, False]
