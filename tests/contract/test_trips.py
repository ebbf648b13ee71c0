"""How often a group of changes waits for PostgreSQL: a few times, however many statements it has."""

import itertools

import pytest

from kagimori.entities.tables import GRANTS, KMS_KEYS, TABLES
from kagimori.machinery.store.database import Commit
from kagimori.machinery.store.engines import engine_of
from kagimori.machinery.store.guard import spaces_of
from kagimori.machinery.store.postgres.link import Link, NotTogether
from kagimori.machinery.store.witness import Witness
from kagimori.ports import Expect, ExpectAtMost, Put
from kagimori.rules.entity import changed
from kagimori.rules.integrity.marks import IntegrityKey
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.stored_grant import StoredGrant

OF = {"account_id": "111122223333", "region": "us-east-1", "created_at": 1.0}
ALL = tuple(TABLES.values())
EVENTS = itertools.count()
TRIPS_MAX = 5  # what is read, what is written, and the commit; and two to spare


@pytest.fixture
def database(databases, tmp_path):
    """An armed store in PostgreSQL, in which there are no rows."""
    with databases.lent() as url:
        opened = engine_of(url).open("w0", ALL)
        opened.take_stream()
        opened.arm(IntegrityKey(b"k" * 32), Witness(tmp_path / "witness", spaces_of(ALL)))
        opened.commit_all((), (), marks=opened.standing())
        yield opened
        opened.close()


@pytest.fixture
def trips(monkeypatch):
    """The places at which somebody waits for the server, in order."""
    waited = []
    run, wait_for, end = Link.run, Link.wait_for, Link.end_together

    def counted_run(link, text, parameters=()):
        if not link.is_together:
            waited.append(text)
        return run(link, text, parameters)

    def counted_wait(link, cursor):
        if cursor.pgresult is None:
            waited.append("a result")
        wait_for(link, cursor)

    def counted_end(link):
        waited.append("the end")
        end(link)

    monkeypatch.setattr(Link, "run", counted_run)
    monkeypatch.setattr(Link, "wait_for", counted_wait)
    monkeypatch.setattr(Link, "end_together", counted_end)
    return waited


def key_of(number):
    return KmsKey(**OF, key_id=f"key-{number}", key_policy="{}")


def grant_on(kms_key, number, claim=None):
    grant = StoredGrant(
        **OF,
        key_id=kms_key.key_id,
        grant_id=f"{number:064x}",
        claim=claim,
        grantee=f"arn:aws:iam::111122223333:user/u{number}",
        grantee_shown="",
        issuing_account=OF["account_id"],
        operations=("Encrypt",),
    )
    room = ExpectAtMost(GRANTS, "by_key", GRANTS.group_of("by_key", grant), 50_000)
    return [Expect(KMS_KEYS, kms_key), Put(GRANTS, grant), room]


def commit(database, *changes):
    commits = [Commit(writes, f"event-{next(EVENTS)}", b"{}", 0) for writes in changes]
    database.commit_all(commits, ())
    return [one.failure for one in commits]


@pytest.mark.parametrize("together", [1, 16])
def test_new_grants_wait_for_the_server_a_few_times(database, trips, together):
    kms_key = key_of("first")
    assert commit(database, [Put(KMS_KEYS, kms_key)]) == [None]
    trips.clear()
    grants = [grant_on(kms_key, number) for number in range(together)]
    assert commit(database, *grants) == [None] * together
    assert len(trips) <= TRIPS_MAX, trips
    assert database.count(GRANTS, "by_key", grants[0][-1].values) == together


def test_a_changed_key_waits_for_the_server_a_few_times(database, trips):
    kms_key = key_of("first")
    assert commit(database, [Put(KMS_KEYS, kms_key)]) == [None]
    trips.clear()
    after = changed(kms_key, description="x")
    assert commit(database, [Put(KMS_KEYS, after, kms_key)]) == [None]
    assert len(trips) <= TRIPS_MAX, trips
    assert database.one(KMS_KEYS, KMS_KEYS.key_of(kms_key)) == after


def test_one_that_is_there_already_harms_no_other(database):
    """The server refuses the second of two claims: then each is waited for, to see which it is."""
    kms_key = key_of("first")
    assert commit(database, [Put(KMS_KEYS, kms_key)]) == [None]
    failures = commit(
        database,
        grant_on(kms_key, 1, claim="c"),
        grant_on(kms_key, 2, claim="c"),
        grant_on(kms_key, 3),
    )
    assert [failure is None for failure in failures] == [True, False, True]


def test_what_a_commit_changed_the_next_one_of_the_group_finds_changed(database):
    """Rows are read ahead for the whole group, before any of its commits was made."""
    kms_key = key_of("first")
    assert commit(database, [Put(KMS_KEYS, kms_key)]) == [None]
    one, two = (changed(kms_key, description=text) for text in "xy")
    failures = commit(
        database,
        [Put(KMS_KEYS, one, kms_key)],
        [Put(KMS_KEYS, two, kms_key)],
        grant_on(kms_key, 1),
        grant_on(one, 2),
    )
    assert [failure is None for failure in failures] == [True, False, False, True]


def test_what_a_failed_transaction_had_prepared_is_prepared_anew(database):
    """The server skips what was sent after a failure; the driver believes that it was prepared."""
    asked = "SELECT 1 FROM feeds WHERE stream = ?"
    for _ in range(2):
        database._begin()
        database._roll_back()
    for _ in range(5):  # the driver prepares it when it comes next
        assert database._execute(asked, ("w0",)).fetchone() == (1,)
    database._sends_together = True
    database._begin()
    with pytest.raises(NotTogether):
        # It fails once the next statement is on its way.
        database._execute("SELECT 1 / length(pg_sleep(0.05)::text)")
        database._execute(asked, ("w0",))
        database._commit()
    database._roll_back()
    database._sends_together = False
    assert database._execute(asked, ("w0",)).fetchone() == (1,)
