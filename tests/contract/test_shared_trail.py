"""The trail among nodes: what one node journals, every other node has, as the same chain.

Two audit folders share one store here; the followers take their turns when a test says so.
"""

import os
import zlib

import pytest
from msgspec.structs import replace

from kagimori.entities.node_tables import SHARED_TO, TRAIL_BLOCKS
from kagimori.entities.tables import TABLES
from kagimori.machinery.store.admin import open_store
from kagimori.machinery.store.database import Fact
from kagimori.rules.chain.chain import START, join
from kagimori.rules.chain.digest_chain import Demands
from kagimori.rules.records.service_event import journal_event
from kagimori.trail import sharing
from kagimori.trail.mark import SyncedMark, read_mark
from kagimori.trail.reader import verify_stream
from kagimori.trail.retention import Proposals
from kagimori.trail.sharing import MirrorFollower, SharingFollower
from kagimori.trail.source import Source

ONE, OTHER = "aaaaaaaaaa", "bbbbbbbbbb"
STREAM = f"{ONE}-w0"


class Node:
    """One node's audit folder and its two followers."""

    def __init__(self, folder, name, database):
        self.audit, self.marks, self.name = folder / name / "audit", folder / name / "marks", name
        self.audit.mkdir(parents=True)
        self.database, self.proposals, self.link = database, Proposals(), START
        self.restart()

    def restart(self):
        self.source = Source(self.audit, {STREAM: False}, self.marks)
        self.sharing = SharingFollower(self.source, self.name, self.open, now=lambda: 1.0)
        self.mirror = MirrorFollower(self.source, self.name, self.open, self.marks, self.proposals)

    def open(self):
        return open_store(self.database, tuple(TABLES.values()), writer=f"{self.name}-admin")

    def journal(self, *texts, file=None, synced=True):
        """Append records, in a new file if one is named."""
        folder = self.audit / STREAM
        folder.mkdir(exist_ok=True)
        lines, end = join(self.link, *(b'{"n":"%b"}' % text.encode() for text in texts))
        name = file or max((one.name for one in folder.iterdir()), default=f"{1:020d}.jsonl")
        with (folder / name).open("ab") as out:
            out.write(lines)
        self.link = end
        if synced:
            mark = SyncedMark(self.marks / STREAM)
            mark.settle(end)
            mark.close()

    def files(self):
        folder = self.audit / STREAM
        return {file.name: file.read_bytes() for file in sorted(folder.glob("*.jsonl"))}

    def close(self):
        self.sharing.close()
        self.mirror.close()


@pytest.fixture
def nodes(tmp_path):
    database = tmp_path / "kagimori.db"
    record = journal_event(event_id="e", now=1.0, name="n", region="us-east-1", details={})
    with open_store(database, tuple(TABLES.values()), writer="init") as store:
        store.commit((Fact("streams", f'{{"{STREAM}": false, "{OTHER}-w0": false}}'),), record)
    pair = Node(tmp_path, ONE, database), Node(tmp_path, OTHER, database)
    yield pair
    for node in pair:
        node.close()


def share(one, other):
    one.sharing.turn(stopping=False)
    other.mirror.turn(stopping=False)


def is_intact(node):
    report = verify_stream(node.audit / STREAM, Demands({}, {}, (), ()))
    return not report.findings


def test_the_other_node_has_the_same_files_line_by_line(nodes):
    one, other = nodes
    one.journal("a", "b", "c")
    share(one, other)
    one.journal("d")
    one.journal("e", "f", file=f"{5:020d}.jsonl")
    share(one, other)
    assert other.files() == one.files()
    assert read_mark(other.marks / STREAM) == one.link
    assert is_intact(other)


def test_nothing_is_shared_before_it_is_durable(nodes):
    one, other = nodes
    one.journal("a")
    one.journal("not yet", synced=False)
    share(one, other)
    assert b"not yet" not in b"".join(other.files().values())


def test_long_journals_go_in_blocks_of_bounded_size(nodes, monkeypatch):
    one, other = nodes
    monkeypatch.setattr(sharing, "LINES_PUT_MAX", 7)
    monkeypatch.setattr(sharing, "BLOCKS_AT_ONCE", 3)
    one.journal(*(str(number) for number in range(100)))
    share(one, other)
    assert other.files() == one.files()
    with one.open() as store:
        blocks = store.page(TRAIL_BLOCKS, (STREAM,), None, None)
    assert max(block.last_sequence - int(block.first) + 1 for block in blocks) == 7


def test_both_go_on_after_a_start_where_they_were(nodes):
    one, other = nodes
    one.journal("a", "b")
    share(one, other)
    for node in nodes:
        node.close()
        node.restart()
    one.journal("c")
    share(one, other)
    assert other.files() == one.files()
    with one.open() as store:
        assert store.one(SHARED_TO, (STREAM,)).version == 2


@pytest.mark.parametrize("cut", [1, 60, 150, 260])
def test_a_copy_that_a_crash_cut_short_is_completed(nodes, cut):
    one, other = nodes
    one.journal("a", "b", "c")
    share(one, other)
    one.journal("d")
    other.close()
    (file,) = (other.audit / STREAM).glob("*.jsonl")
    os.truncate(file, file.stat().st_size - cut)
    other.restart()
    share(one, other)
    assert other.files() == one.files()
    assert is_intact(other)


def altered(block):
    """Ways in which somebody who can write to the database may change a block."""
    content, compress = zlib.decompress(block.content), zlib.compress
    yield replace(block, content=compress(content.replace(b'"n":"b"', b'"n":"x"')))
    yield replace(block, content=compress(content[: content.rindex(b'{"sequence"')]))
    yield replace(block, content=compress(content + content))
    yield replace(block, content=compress(b"\n" * 3))
    yield replace(block, content=compress(b"0" * (1 << 25)))
    yield replace(block, content=b"nothing compressed")
    yield replace(block, file="../../../escaped")
    yield replace(block, file="escaped.jsonl")


@pytest.mark.parametrize("way", range(8))
def test_what_was_changed_in_the_store_is_not_taken_in(nodes, way, tmp_path):
    one, other = nodes
    one.journal("a", "b", "c")
    one.sharing.turn(stopping=False)
    with one.open() as store:
        (block,) = store.page(TRAIL_BLOCKS, (STREAM,), None, None)
        store.note(((TRAIL_BLOCKS, list(altered(block))[way]),))
    other.mirror.turn(stopping=False)
    assert other.files() == {}
    assert STREAM in other.mirror.standing() or "taken in" in other.mirror.standing()
    assert not list(tmp_path.rglob("*escaped*"))


def test_a_removed_block_is_missed(nodes, monkeypatch):
    one, other = nodes
    for text in "abc":
        one.journal(text)
        one.sharing.turn(stopping=False)
    other.mirror._source.know({STREAM: False})
    first = replace(block_at(one, 1), first=f"{9:020d}", last_sequence=9)
    with one.open() as store:
        store.note(((TRAIL_BLOCKS, replace(block_at(one, 2), content=first.content)),))
    other.mirror.turn(stopping=False)
    assert "taken in" in other.mirror.standing()


def block_at(node, sequence):
    with node.open() as store:
        return store.one(TRAIL_BLOCKS, (STREAM, f"{sequence:020d}"))


def test_a_journal_that_lost_what_was_shared_stands_still_and_says_so(nodes):
    one, _ = nodes
    one.journal("a", "b")
    one.sharing.turn(stopping=False)
    one.close()
    (file,) = (one.audit / STREAM).glob("*.jsonl")
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    one.restart()
    one.sharing.turn(stopping=False)
    assert "shared" in one.sharing.standing()


def test_only_its_own_streams_are_shared_and_only_those_of_others_fetched(nodes):
    one, other = nodes
    one.journal("a")
    share(one, other)
    other.sharing.turn(stopping=False)
    one.mirror.turn(stopping=False)
    with one.open() as store:
        assert [row.node_id for row in store.page(SHARED_TO, (), None, None)] == [ONE]
    assert sorted(folder.name for folder in one.audit.iterdir()) == [STREAM]


def test_nothing_that_needs_a_record_is_noted_without(nodes):
    one, _ = nodes
    with one.open() as store, pytest.raises(ValueError, match="needs a record"):
        store.note(((TABLES["accounts"], object()),))
