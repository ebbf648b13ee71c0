"""A store that somebody else writes to: every alteration of every guarded table is noticed."""

import itertools
import json

import pytest

from kagimori.entities.tables import TABLES
from kagimori.machinery.store.database import Commit, Fact
from kagimori.machinery.store.engines import engine_of
from kagimori.machinery.store.guard import spaces_of
from kagimori.machinery.store.witness import Witness
from kagimori.ports import Delete, Expect, Put, StoreAltered, StoreFailed
from kagimori.rules.entity import changed
from kagimori.rules.integrity.altered import Altered
from kagimori.rules.integrity.marks import IntegrityKey
from kit.altering import Attacker, sample

ALL = tuple(TABLES.values())
GUARDED = [table for table in ALL if not table.unguarded]
KEY = b"k" * 32
EVENTS = itertools.count()


@pytest.fixture
def opened(place, tmp_path):
    """A function that opens the store, armed; and with all spaces in use after the first time."""

    def open_store(stream="w0", *, key=KEY):
        database = engine_of(place).open(stream, ALL)
        database.take_stream()
        database.arm(IntegrityKey(key), Witness(tmp_path / "witness", spaces_of(ALL)))
        missing = database.standing()
        if missing:
            database.commit_all((), (), marks=missing)
        made.append(database)
        return database

    made = []
    yield open_store
    for database in made:
        database.close()


@pytest.fixture
def attacker(place):
    return Attacker(place)


def commit(database, *writes, facts=()):
    one = Commit(writes, f"event-{next(EVENTS)}", b"{}", 0, facts=facts)
    database.commit_all((one,), ())
    if one.failure is not None:
        raise one.failure


def look_everywhere(database, table, *entities):
    """Load entities and each group they are in, and look through the whole store."""
    look_at(database, table, *entities)
    found = [altered for step in database.sweep() for altered in step]
    if found:
        raise found[0]


def look_at(database, table, *entities):
    """Load entities, and each group they are in."""
    for entity in entities:
        database.one(table, table.key_of(entity))
        for group in table.guarded_groups:
            values = table.group_of(group, entity)
            if None not in values:
                database.page(table, values, None, None, group)


def this(table):
    return " AND ".join(f"{column} = ?" for column in table.key)


def fill(database, table):
    one, two = sample(table, 1), sample(table, 2)
    commit(database, Put(table, one), Put(table, two))
    newer = changed(one)
    commit(database, Put(table, newer, one))
    return newer, two


def test_every_alteration_of_a_row_is_noticed_and_named(opened, attacker, place):
    database = opened()
    for table in some(place):
        alter_rows(database, attacker, table)
    assert [altered for step in database.sweep() for altered in step] == []


def some(place):
    """Return all guarded tables; a few of them where each statement goes over a connection."""
    return GUARDED[::6] if isinstance(place, str) else GUARDED


def alter_rows(database, attacker, table):
    one, two = fill(database, table)
    look_everywhere(database, table, one, two)
    names, rows = attacker.rows(table.name)
    where, key = this(table), table.key_of(one)
    theirs = f"(SELECT body FROM {table.name} WHERE {where})"
    swap = f"UPDATE {table.name} SET body = {theirs} WHERE {where}"
    alterations = {
        "an edited body": (f"UPDATE {table.name} SET body = ? WHERE {where}", (b'{"a":1}', *key)),
        "another version": (f"UPDATE {table.name} SET version = 1 WHERE {where}", key),
        "a deleted row": (f"DELETE FROM {table.name} WHERE {where}", key),
        "a swapped body": (swap, (*table.key_of(two), *key)),
    }
    named = set(key)
    for group in table.guarded_groups:
        named |= set(table.group_of(group, one))
        moved = [column for column in table.groups[group] if column not in table.key]
        if moved:
            text = f"UPDATE {table.name} SET {moved[0]} = 'elsewhere' WHERE {where}"
            alterations[f"another {group}"] = (text, key)
    for what, (text, parameters) in alterations.items():
        attacker.run(text, parameters)
        with pytest.raises(Altered) as altered:
            look_everywhere(database, table, one, two)
        assert altered.value.table.partition("/")[0] == table.name, what
        assert set(altered.value.key) <= named, what
        if "SET" not in text or "body" in text or "version" in text:
            with pytest.raises(StoreFailed):
                commit(database, Put(table, changed(one), one))
        attacker.put_back(table.name, names, rows)
        look_at(database, table, one, two)


def test_a_row_that_was_added_is_noticed(opened, attacker, place):
    database = opened()
    for table in some(place):
        add_rows(database, attacker, table)


def add_rows(database, attacker, table):
    _, two = fill(database, table)
    commit(database, Delete(table, two))
    names, rows = attacker.rows(table.name)
    third = sample(table, 3)
    made_up = dict(zip(names, rows[0], strict=True))
    made_up |= {name: getattr(third, name) for name in names if hasattr(third, name)}
    attacker.put_back(table.name, names, [*rows, tuple(made_up.values())])
    with pytest.raises(Altered):
        database.one(table, table.key_of(third))
    with pytest.raises(Altered):
        look_everywhere(database, table)
    with pytest.raises(StoreFailed):
        commit(database, Expect(table, changed(third)))
    attacker.put_back(table.name, names, rows)


def test_a_row_that_was_put_back_is_noticed_with_its_buckets_too(opened, attacker):
    table = TABLES["iam_attachments"]
    database = opened()
    one = sample(table, 1)
    before = [(name, *attacker.rows(name)) for name in (table.name, "integrity")]
    commit(database, Put(table, one))
    then = [(name, *attacker.rows(name)) for name in (table.name, "integrity")]
    commit(database, Delete(table, one))
    for kept in (before, then):
        now = [(name, *attacker.rows(name)) for name in (table.name, "integrity")]
        for name, names, rows in kept:
            attacker.put_back(name, names, rows)
        with pytest.raises(Altered):
            look_everywhere(database, table, one)
        with pytest.raises(Altered):
            database.standing()
        with pytest.raises(StoreAltered):
            commit(database, Put(table, sample(table, 2)))
        for name, names, rows in now:
            attacker.put_back(name, names, rows)
        look_everywhere(database, table, one)


def test_rows_of_another_deployment_are_noticed(opened, attacker):
    table = TABLES["access_keys"]
    database = opened()
    one = sample(table, 1)
    commit(database, Put(table, one))
    body = database._statements[table.name].encode(changed(one))
    theirs = IntegrityKey(b"t" * 32).mark(table.name, table.key_of(one), 2, body)
    assert theirs != database._guard.mark(table, table.key_of(one), (2, body))
    attacker.run(
        f"UPDATE access_keys SET body = ?, version = 2 WHERE {this(table)}",
        (body, *table.key_of(one)),
    )
    with pytest.raises(Altered):
        database.one(table, table.key_of(one))


def test_facts_of_the_deployment_are_guarded(opened, attacker):
    database = opened()
    regions = Fact("regions", json.dumps(["us-east-1"]))
    commit(database, facts=[regions, Fact("timer", '"n"')])
    assert database.standing() == []
    attacker.run("UPDATE deployment SET value = ? WHERE name = ?", ('"m"', "timer"))
    assert database.standing() == []
    attacker.run("UPDATE deployment SET value = ? WHERE name = ?", ('["eu-west-1"]', "regions"))
    with pytest.raises(Altered, match="regions"):
        database.standing()


def test_a_store_whose_rows_are_marked_is_not_written_without_the_key(opened, place):
    table = TABLES["accounts"]
    commit(opened(), Put(table, sample(table, 1)))
    unarmed = engine_of(place).open("w1", ALL)
    unarmed.take_stream()
    with pytest.raises(StoreFailed):
        commit(unarmed, Put(table, sample(table, 2)))
    commit(unarmed, facts=[Fact("streams", "{}")])
    assert unarmed.one(table, table.key_of(sample(table, 1))) is not None
    unarmed.close()


def test_marks_that_are_gone_are_not_made_again(opened, attacker):
    table = TABLES["accounts"]
    database = opened()
    commit(database, Put(table, sample(table, 1)))
    attacker.run("DELETE FROM integrity")
    with pytest.raises(Altered):
        database.standing()
    with pytest.raises(Altered):
        database.one(table, table.key_of(sample(table, 1)))


def test_rows_of_an_earlier_version_are_marked_once(opened, place, attacker):
    earlier = engine_of(place).open("w0", ALL)
    earlier.take_stream()
    for table in GUARDED:
        commit(earlier, Put(table, sample(table, 1)), Put(table, sample(table, 2)))
    commit(earlier, facts=[Fact("regions", "[]")])
    earlier.close()
    database = opened()
    for table in GUARDED:
        look_at(database, table, sample(table, 1), sample(table, 2))
    other = opened("w1")
    for table in GUARDED:
        commit(other, Put(table, changed(sample(table, 1)), sample(table, 1)))
        commit(database, Delete(table, sample(table, 2)))
        look_at(database, table, sample(table, 1), sample(table, 2))
        look_at(other, table, sample(table, 1), sample(table, 2))
    assert [altered for step in database.sweep() for altered in step] == []
