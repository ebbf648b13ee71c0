"""Whatever somebody does to the rows of a store without the key, the service notices it.

A model of a store: rows, the columns by which groups are found, and buckets. Changes of the service
go through a ledger; the one who alters has everything that was ever stored, here and in another
deployment, and no key.
"""

import copy
import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagimori.rules.integrity.altered import Altered
from kagimori.rules.integrity.buckets import (
    Place,
    check_group,
    check_row,
    open_bucket,
    tally_of,
)
from kagimori.rules.integrity.ledger import Ledger, Row
from kagimori.rules.integrity.marks import IntegrityKey, name_of

TABLES = ("policies", "members")
NAMES = ("a", "b", "c")
OWNERS = ("x", "y")


@dataclasses.dataclass
class Stored:
    """All that the database holds."""

    rows: dict  # (table, name): (version, body, owner)
    buckets: dict


class Model:
    def __init__(self, key=b"k" * 32):
        self.key = IntegrityKey(key)
        self.stored = Stored({}, {})
        self.seen = {}
        self.history = []

    def write(self, table, name, body, owner):
        before = self.stored.rows.get((table, name))
        after = None if body is None else ((before or (0,))[0] + 1, body, owner)
        ledger = Ledger(self.key, self.stored.buckets.get, lambda at: self.seen.get(at, 0))
        ledger.replace(
            table, (name,), self._row(table, name, before), self._row(table, name, after)
        )
        ledger.touch("writers", "w0")
        ledger.keep()
        if after is None:
            self.stored.rows.pop((table, name), None)
        else:
            self.stored.rows[table, name] = after
        for place, bucket in ledger.closed():
            self.stored.buckets[place] = bucket
            self.seen[place] = bucket.version
        self.history.append(copy.deepcopy(self.stored))

    def mark(self, table, name, row):
        version, body, _ = row
        return self.key.mark(table, (name,), version, body)

    def _row(self, table, name, row):
        if row is None:
            return None
        return Row(self.mark(table, name, row), {"by_owner": (row[2],)})

    def check(self):
        """Look at every row and every group, as the service would."""
        for table in TABLES:
            for name in NAMES:
                row = self.stored.rows.get((table, name))
                mark = None if row is None else self.mark(table, name, row)
                check_row(self._bucket(table, (name,)), name_of((name,)), mark, (table, (name,)))
            for owner in OWNERS:
                found = [
                    self.mark(table, name, row)
                    for (of, name), row in self.stored.rows.items()
                    if of == table and row[2] == owner
                ]
                space = f"{table}/by_owner"
                bucket = self._bucket(space, (owner,))
                check_group(self.key, bucket, space, (owner,), tally_of(found))
        for place, stored in self.stored.buckets.items():
            open_bucket(self.key, place, stored, self.seen.get(place, 0), (place.space, ()))

    def _bucket(self, space, values):
        place = Place(space, self.key.bucket_of(space, name_of(values)))
        stored, seen = self.stored.buckets.get(place), self.seen.get(place, 0)
        return open_bucket(self.key, place, stored, seen, (space, values))


writes = st.lists(
    st.tuples(
        st.sampled_from(TABLES),
        st.sampled_from(NAMES),
        st.sampled_from([b"1", b"2", None]),
        st.sampled_from(OWNERS),
    ).filter(lambda one: one[2] is not None),
    min_size=2,
    max_size=8,
)


def written(changes, key=b"k" * 32):
    model = Model(key)
    for number, (table, name, body, owner) in enumerate(changes):
        gone = number % 3 == 2 and (table, name) in model.stored.rows
        model.write(table, name, None if gone else body + bytes([number]), owner)
    return model


@given(writes)
def test_what_the_service_writes_is_never_an_alarm(changes):
    model = written(changes)
    model.check()


def edit(model, other, choose):
    place = choose(sorted(model.stored.rows))
    version, body, owner = model.stored.rows[place]
    which = choose([0, 1, 2])
    row = [(version + 1, body, owner), (version, body + b"!", owner), (version, body, "z")][which]
    model.stored.rows[place] = row


def move_to_another_group(model, other, choose):
    place = choose(sorted(model.stored.rows))
    version, body, owner = model.stored.rows[place]
    model.stored.rows[place] = (version, body, "y" if owner == "x" else "x")


def delete(model, other, choose):
    del model.stored.rows[choose(sorted(model.stored.rows))]


def delete_with_the_bucket(model, other, choose):
    table, name = choose(sorted(model.stored.rows))
    del model.stored.rows[table, name]
    key = name_of((name,))
    del model.stored.buckets[Place(table, model.key.bucket_of(table, key))]


def insert_a_copy(model, other, choose):
    table, name = choose(sorted(model.stored.rows))
    to = choose([(t, n) for t in TABLES for n in NAMES if (t, n) != (table, name)])
    model.stored.rows[to] = model.stored.rows[table, name]


def swap(model, other, choose):
    rows = model.stored.rows
    one, two = choose(sorted(rows)), choose(sorted(rows))
    rows[one], rows[two] = rows[two], rows[one]


def bring_from_another_deployment(model, other, choose):
    place = choose(sorted(other.stored.rows))
    model.stored.rows[place] = other.stored.rows[place]
    if choose([False, True]):
        model.stored.buckets |= other.stored.buckets


def replay_a_row(model, other, choose):
    then = choose(model.history)
    for place in choose([sorted(then.rows)]) or []:
        if choose([False, True]):
            model.stored.rows[place] = then.rows[place]


def replay_with_buckets(model, other, choose):
    then = choose(model.history)
    model.stored.rows |= then.rows
    for place in sorted(then.buckets):
        if choose([False, True]):
            model.stored.buckets[place] = then.buckets[place]


def replay_everything(model, other, choose):
    model.stored = copy.deepcopy(choose(model.history))


def swap_buckets(model, other, choose):
    buckets = model.stored.buckets
    one, two = choose(sorted(buckets)), choose(sorted(buckets))
    buckets[one], buckets[two] = buckets[two], buckets[one]


ALTERATIONS = (
    edit,
    move_to_another_group,
    delete,
    delete_with_the_bucket,
    insert_a_copy,
    swap,
    bring_from_another_deployment,
    replay_a_row,
    replay_with_buckets,
    replay_everything,
    swap_buckets,
)


@pytest.mark.parametrize("alter", ALTERATIONS, ids=lambda alter: alter.__name__)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_alteration_is_noticed(alter, data):
    model = written([*data.draw(writes), ("policies", "a", b"last", "x")])
    other = written([("policies", "a", b"theirs", "x"), ("members", "b", b"3", "y")], b"o" * 32)
    if not model.stored.rows:
        return
    before = copy.deepcopy(model.stored)
    alter(model, other, lambda among: data.draw(st.sampled_from(among)))
    if model.stored == before:
        model.check()
    else:
        with pytest.raises(Altered):
            model.check()


def test_without_what_was_seen_a_whole_old_store_is_the_one_thing_that_holds():
    model = written([("policies", "a", b"1", "x"), ("policies", "a", b"2", "x")])
    model.stored = copy.deepcopy(model.history[0])
    with pytest.raises(Altered):
        model.check()
    model.seen.clear()
    model.check()
