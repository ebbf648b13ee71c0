"""Memory follows changes of its own worker and of others, one by one, whatever its size."""

import pytest

from kagimori.entities.identity_tables import USERS
from kagimori.entities.tables import ALIASES, GRANTS, KMS_KEYS, TABLES
from kagimori.machinery.store.memory import Memory
from kagimori.machinery.store.room import Room
from kagimori.pending import Pending
from kagimori.ports import Absent, Delete, Expect, ExpectAtMost, LargeGroup, Put
from kagimori.rules.entity import changed
from kagimori.rules.identity.user import User
from kagimori.rules.keys.kms_key import Alias, KmsKey
from kagimori.rules.keys.stored_grant import StoredGrant
from kit.in_memory import InMemoryView

KEY = ("111122223333", "us-east-1", "a")
ALICE = (*KEY, "arn:alice")


def kms_key():
    return KmsKey(account_id=KEY[0], region=KEY[1], key_id=KEY[2], created_at=1.0, key_policy="{}")


def grant(number, grantee="arn:alice"):
    return StoredGrant(
        account_id=KEY[0],
        region=KEY[1],
        key_id=KEY[2],
        grant_id=f"{number:064x}",
        created_at=1.0,
        grantee=grantee,
        grantee_shown=grantee,
        issuing_account=KEY[0],
        operations=("Encrypt",),
    )


def alias(name, target="a"):
    return Alias(
        account_id=KEY[0],
        region=KEY[1],
        alias_name=name,
        target_key_id=target,
        created_at=1.0,
        updated_at=1.0,
    )


class World:
    """A memory over a source that counts what is read; loads wait until `arrive`, if held."""

    def __init__(self):
        self.source, self.reads, self.held = InMemoryView(), [], None
        self.memory = Memory(self, self._load, tuple(TABLES.values()))

    def one(self, table, key):
        self.reads.append((table.name, key))
        return self.source.one(table, key)

    def page(self, table, prefix, after, limit, group):
        self.reads.append((table.name, group, prefix))
        return list(self.source.page(table, prefix, after, limit, group))

    def count(self, table, group, values):
        self.reads.append((table.name, "count", values))
        return self.source.count(table, group, values)

    def _load(self, read, keep, watch):
        done = Pending()
        while True:
            self.memory.begin(watch)
            value = read()
            if self.held is not None:
                self.held()
            if not self.memory.is_overtaken(watch):
                break
        keep(value)
        done.settle(None)
        return done

    def look(self, method, *arguments):
        """Return the result of a look, after as many loads as it needs; note these alone."""
        self.reads.clear()
        while True:
            try:
                return getattr(self.memory, method)(*arguments)
            except Absent as absent:
                absent.load().result()

    def commit(self, *writes):
        self.source.apply(writes)
        self.memory.apply(writes)

    def commit_elsewhere(self, *writes):
        self.source.apply(writes)
        keys = []
        for write in writes:
            table = write.table
            keys.append((table.name, *table.key_of(write.entity)))
            for entity in (write.entity, getattr(write, "before", None)):
                if entity is not None:
                    keys += [
                        (f"{table.name}/{g}", *table.group_of(g, entity)) for g in table.groups
                    ]
        self.memory.forget(keys)


@pytest.fixture(params=[3, 400])
def world(request):
    """A key with few or many grants, all of them looked at."""
    world = World()
    world.source.put(KMS_KEYS, kms_key())
    world.source.put(GRANTS, *(grant(number) for number in range(request.param)))
    for group, values in (("by_key", KEY), ("by_grantee", ALICE)):
        world.look("group", GRANTS, group, values)
        world.look("count", GRANTS, group, values)
    world.look("one", KMS_KEYS, KEY)
    return world


def seen(world):
    """Return the grants as memory shows them, and what had to be read for that."""
    found, reads = [], []
    for group, values in (("by_key", KEY), ("by_grantee", ALICE)):
        members = tuple(world.look("group", GRANTS, group, values))
        reads += world.reads
        assert world.look("count", GRANTS, group, values) == len(members)
        assert members == tuple(world.source.group(GRANTS, group, values))
        found.append(members)
    return found, reads


def test_our_own_changes_are_followed_without_reading(world):
    most = max(int(one.grant_id, 16) for one in seen(world)[0][0])
    world.commit(Expect(KMS_KEYS, kms_key()), Put(GRANTS, grant(most + 5)))
    world.commit(Put(GRANTS, grant(most + 2)), Delete(GRANTS, grant(1)))
    world.commit(Put(GRANTS, grant(most + 3, "arn:bob")))
    _, reads = seen(world)
    assert reads == []
    world.look("one", KMS_KEYS, KEY)
    assert world.reads == []  # what was expected has held, and stays


def test_a_member_that_moves_leaves_one_group_and_joins_another(world):
    before = grant(2)
    world.look("group", GRANTS, "by_grantee", (*KEY, "arn:bob"))
    world.commit(Put(GRANTS, changed(before, grantee="arn:bob"), before))
    _, reads = seen(world)
    assert reads == []
    (bobs,) = world.look("group", GRANTS, "by_grantee", (*KEY, "arn:bob"))
    assert bobs.version == 2
    assert world.reads == []


def test_changes_of_others_have_the_changed_members_of_a_large_group_read_alone(world):
    is_large = isinstance(world.look("group", GRANTS, "by_key", KEY), LargeGroup)
    world.commit_elsewhere(Put(GRANTS, grant(9000)), Delete(GRANTS, grant(0)))
    _, reads = seen(world)
    wanted = [("grants", (*KEY, grant(number).grant_id)) for number in (0, 9000)]
    if is_large:
        assert sorted(reads) == sorted([*wanted, *wanted])
    else:
        assert [one[1] for one in reads] == ["by_key", "by_grantee"]


def test_an_index_of_a_large_group_follows_its_changes():
    world = World()
    world.source.put(GRANTS, *(grant(number) for number in range(100)))

    class Index:
        def __init__(self, members):
            self.held = {one.grant_id for one in members}

        def add(self, one):
            self.held.add(one.grant_id)

        def remove(self, one):
            self.held.discard(one.grant_id)

    index = world.look("group", GRANTS, "by_key", KEY).followed(Index)
    world.commit(Put(GRANTS, grant(200)), Delete(GRANTS, grant(7)))
    world.commit_elsewhere(Put(GRANTS, grant(201)), Delete(GRANTS, grant(8)))
    group = world.look("group", GRANTS, "by_key", KEY)
    assert group.followed(Index) is index
    assert index.held == {one.grant_id for one in world.source.group(GRANTS, "by_key", KEY)}


def test_a_load_is_done_again_only_if_a_change_touches_it():
    world = World()
    world.source.put(KMS_KEYS, kms_key())
    changes = [lambda: world.commit(Put(ALIASES, alias("alias/elsewhere", "b")))]
    world.held = lambda: changes and changes.pop()()
    world.look("group", ALIASES, "by_key", KEY)
    assert len(world.reads) == 1
    world.memory.forget(None)
    changes.append(lambda: world.commit(Put(ALIASES, alias("alias/here"))))
    assert len(world.look("group", ALIASES, "by_key", KEY)) == 1
    assert len(world.reads) == 2


def test_a_group_that_was_counted_with_a_commit_on_its_way_is_counted_again():
    world = World()
    world.look("count", GRANTS, "by_key", KEY)
    world.memory.begin_commits()
    world.source.apply((Put(GRANTS, grant(1)),))  # committed, but we have not heard of it
    world.memory.forget([("grants/by_key", *KEY)])
    assert world.look("count", GRANTS, "by_key", KEY) == 1
    world.memory.apply((Put(GRANTS, grant(1)),))
    assert world.look("count", GRANTS, "by_key", KEY) == 1
    world.memory.begin_commits()
    world.commit(Put(GRANTS, grant(2)))
    assert world.look("count", GRANTS, "by_key", KEY) == 2
    assert world.reads == []


def test_a_page_that_a_change_overtakes_is_no_reason_to_read_for_ever():
    world = World()
    numbers = iter(range(1000))
    world.held = lambda: world.commit(Put(ALIASES, alias(f"alias/{next(numbers)}")))
    assert list(world.look("page", ALIASES, KEY[:2], None, 10)) == []
    assert len(world.reads) == 1


def test_only_changes_of_what_makes_callers_have_callers_looked_up_again():
    world = World()
    before = world.memory.epoch
    world.commit(Put(KMS_KEYS, kms_key()), Put(GRANTS, grant(1)), Put(ALIASES, alias("alias/a")))
    assert world.memory.epoch == before
    alice = User(account_id=KEY[0], name="alice", unique_id="AIDA", created_at=1.0)
    world.commit(Put(USERS, alice))
    assert world.memory.epoch > before


def test_a_failed_commit_puts_all_in_doubt_that_it_relied_upon(world):
    other = changed(kms_key(), description="theirs")
    world.source.put(KMS_KEYS, other)
    world.source.put(GRANTS, grant(9000))
    few = ExpectAtMost(GRANTS, "by_grantee", ALICE, 2)
    world.memory.doubt((Expect(KMS_KEYS, kms_key()), Put(GRANTS, grant(9000)), few))
    assert world.look("one", KMS_KEYS, KEY).description == "theirs"
    seen(world)


def test_memory_is_bounded_by_bytes_and_the_oldest_of_the_largest_goes():
    room = Room(100_000)
    keys, aliases = room.entries("keys"), room.entries("aliases")
    room.keep("aliases", ("x",), None)
    for number in range(1000):
        room.keep("keys", (str(number),), kms_key())
    assert 0 < len(keys) < 200
    assert ("999",) in keys
    assert ("x",) in aliases
    room.keep("keys", ("huge",), tuple(range(1000)))
    assert list(keys) == [("huge",)]
    room.drop("keys", ("huge",))
    for number in range(20):  # what was dropped has made room
        room.keep("keys", (str(number),), kms_key())
    assert len(keys) == 20
