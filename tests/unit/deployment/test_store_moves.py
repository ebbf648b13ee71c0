"""A store whose rows are authenticated moves to another database and back, and stays so."""

import contextlib

import pytest

from kagimori.deployment import store_moves
from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.init import initialise
from kagimori.deployment.opened import opened, with_hsm
from kagimori.entities.tables import ACCOUNTS
from kagimori.ports import Put
from kagimori.rules.identity.account import Account
from kagimori.rules.records.service_event import ServiceRecord
from kit import postgres

LATER = "444455556666"


@pytest.fixture(scope="module")
def database():
    server = postgres.Server()
    yield server
    server.remove()


@pytest.fixture
def url(database):
    return database.new_database()


@pytest.fixture
def data(tmp_path):
    initialise(tmp_path / "data", account_id="111122223333")
    return tmp_path / "data"


def armed(data, use=lambda deployment: deployment.store.standing()):
    """Use a deployment's store with its key, as a server does at its start."""
    with opened(data) as deployment:
        return with_hsm(deployment, lambda _: use(deployment))


def account(account_id):
    return lambda deployment: deployment.store.one(ACCOUNTS, (account_id,))


def add_account(data):
    record = ServiceRecord(f"e-{LATER}", b'{"eventID":"e"}')
    put = Put(ACCOUNTS, Account(account_id=LATER, created_at=1.5))
    armed(data, lambda deployment: deployment.store.commit([put], record))


def without_store(data):
    for file in data.glob("kagimori.db*"):
        file.unlink()


def test_there_and_back_every_mark_holds(data, url):
    store_moves.copy(str(data), url)
    store_moves.use(data, url)
    assert Layout(data).is_shared
    assert armed(data) == []
    add_account(data)
    assert armed(data, account(LATER)).account_id == LATER
    without_store(data)
    store_moves.copy(url, str(data / "kagimori.db"))
    store_moves.use(data, str(data / "kagimori.db"))
    assert not Layout(data).is_shared
    assert armed(data) == []
    assert armed(data, account(LATER)).account_id == LATER


def test_a_former_store_is_older_and_is_noticed(data, url):
    store_moves.copy(str(data), url)
    store_moves.use(data, url)
    add_account(data)
    store_moves.use(data, str(data / "kagimori.db"))
    with pytest.raises(Unusable, match="older"):
        armed(data)
    store_moves.use(data, url)
    assert armed(data) == []


def test_an_older_copy_in_the_other_database_is_noticed(data, url):
    store_moves.copy(str(data), url)
    add_account(data)
    store_moves.use(data, url)
    with pytest.raises(Unusable, match="older"):
        armed(data)


def test_a_row_that_was_altered_on_the_way_is_noticed(data, url, database):
    store_moves.copy(str(data), url)
    name = url.partition("?")[0].rpartition("/")[2]
    with contextlib.closing(database.connect(name)) as connection:
        connection.execute(
            "UPDATE accounts SET body = convert_to("
            "replace(convert_from(body, 'UTF8'), '\"created_at\":', '\"created_at\":1'), 'UTF8')"
        )
    store_moves.use(data, url)
    with pytest.raises(Unusable, match="accounts"):
        armed(data, account("111122223333"))
