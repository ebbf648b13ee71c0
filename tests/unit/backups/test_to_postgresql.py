"""A backup is restored to a database elsewhere: all of it, or nothing that could be served."""

import os
import shutil
import signal
import sqlite3

import pytest

from kagimori.backups import restoring
from kagimori.backups.making import back_up
from kagimori.backups.own_hsm import own_backup_key
from kagimori.backups.proving import prove
from kagimori.backups.restoring import restore
from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.init import initialise
from kagimori.deployment.node import node_id
from kagimori.deployment.opened import opened, with_hsm
from kagimori.entities.node_tables import LEASES, NODES
from kagimori.machinery.store.engines import whole_url
from kagimori.ports import Put
from kagimori.rules.nodes.node import Lease, Node
from kagimori.rules.records.service_event import ServiceRecord
from kagimori.trail.streams import register_node
from kit import postgres


@pytest.fixture(scope="module")
def database():
    server = postgres.Server()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A deployment that another node has joined, its root elsewhere, and a backup of it."""
    folder = tmp_path_factory.mktemp("backups")
    initialise(folder / "data")
    shutil.copy(folder / "data" / "seal.key", folder / "seal.key")
    with opened(folder / "data") as deployment:
        register_node(deployment, 1, signs=False)
        other = Node(node_id="b" * 10, joined_at=1.0)
        deployment.store.commit([Put(NODES, other)], ServiceRecord("e1", b'{"eventID":"e1"}'))
    make(folder / "data", folder / "kept.backup")
    return folder


@pytest.fixture
def kept(place):
    return place / "kept.backup"


@pytest.fixture
def root(place):
    return place / "seal.key"


@pytest.fixture
def url(database):
    return whole_url(database.new_database())


def make(data, to):
    return back_up(data, to, lambda *asked: own_backup_key(data, *asked))


def rows(database, url, table):
    name = url.partition("?")[0].rpartition("/")[2]
    with database.connect(name) as connection:
        exists = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0]
        if exists is None:
            return 0
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_restored_deployment_has_its_store_there(place, kept, root, url, tmp_path):
    restored = restore(kept, tmp_path / "new", root, store=url)
    layout = Layout(tmp_path / "new")
    assert restored.backup_id
    assert layout.is_shared
    assert not layout.database.exists()
    assert not (tmp_path / "new" / ".restoring").exists()
    assert layout.store_url.stat().st_mode & 0o077 == 0
    with (
        opened(place / "data", read_only=True) as one,
        opened(tmp_path / "new") as other,
    ):
        assert other.facts == one.facts
        # Every row is as its mark says, in the other engine as well.
        assert with_hsm(other, lambda _: other.store.standing()) == []
    make(tmp_path / "new", tmp_path / "next.backup")
    assert prove(tmp_path / "next.backup", root).works


def test_former_nodes_are_removed_and_their_records_are_on_their_way(kept, root, url, tmp_path):
    restore(kept, tmp_path / "new", root, store=url)
    with opened(tmp_path / "new") as deployment:
        nodes = deployment.store.page(NODES, (), None, None)
        assert len(nodes) == 2
        assert all(node.removed_at is not None for node in nodes)
        assert deployment.store.page(LEASES, (), None, None) == [Lease(holder="", version=2)]
        on_the_way = deployment.store.outbox()
        assert "e1" in {event_id for event_id, _ in on_the_way}
        own = f"{node_id(Layout(tmp_path / 'new'))}-admin"
        assert {stream for _, stream in on_the_way} == {own}
        with pytest.raises(Unusable, match="was removed"):
            restored_as(tmp_path / "new", "b" * 10)


def restored_as(data, node):
    """Register as a former node would that finds the restored database."""
    (data / "node-id").write_text(node)
    with opened(data) as deployment:
        register_node(deployment, 1, signs=False)


def test_records_that_a_journal_has_are_not_on_their_way_again(place, root, tmp_path):
    shutil.copytree(place / "data", tmp_path / "data")
    stream = tmp_path / "data" / "audit" / f"{node_id(Layout(tmp_path / 'data'))}-admin"
    stream.mkdir(parents=True)
    (stream / f"{1:020}.jsonl").write_bytes(b'{"eventID":"e1"}\n')
    make(tmp_path / "data", tmp_path / "kept.backup")
    restore(tmp_path / "kept.backup", tmp_path / "new", root)
    with sqlite3.connect(tmp_path / "new" / "kagimori.db") as store:
        ids = {row[0] for row in store.execute("SELECT event_id FROM outbox")}
    assert ids
    assert "e1" not in ids


def test_a_database_that_is_not_empty_is_refused_and_kept(kept, root, url, database, tmp_path):
    restore(kept, tmp_path / "new", root, store=url)
    before = rows(database, url, "deployment")
    with pytest.raises(Unusable, match=r"is not empty.*give an empty database"):
        restore(kept, tmp_path / "other", root, store=url)
    assert not (tmp_path / "other").exists()
    assert rows(database, url, "deployment") == before


def test_a_database_that_is_not_there_restores_nothing(kept, root, tmp_path):
    nowhere = whole_url(f"postgresql://owner@/x?host={tmp_path}")
    with pytest.raises(Unusable, match="cannot be used"):
        restore(kept, tmp_path / "new", root, store=nowhere)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("at", ["copy_between", "_move_up"])
def test_one_that_is_killed_serves_nothing(kept, root, url, database, tmp_path, at):
    child = os.fork()
    if child == 0:
        try:
            setattr(restoring, at, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            restore(kept, tmp_path / "new", root, store=url)
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert not Layout(tmp_path / "new").is_deployment
    with pytest.raises(Unusable, match="holds no deployment"), opened(tmp_path / "new"):
        pass
    if at == "copy_between":
        assert rows(database, url, "deployment") == 0
        restore(kept, tmp_path / "new", root, store=url)
    else:  # all is there, which must not be mixed with another restore
        with pytest.raises(Unusable, match="give an empty database"):
            restore(kept, tmp_path / "new", root, store=url)
        restore(kept, tmp_path / "new", root, store=whole_url(database.new_database()))
    with opened(tmp_path / "new", read_only=True):
        pass
