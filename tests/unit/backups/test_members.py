"""What goes into a backup, and how much of what is being written."""

import json

import pytest

from kagimori.backups.members import NAMES, files_of, settled_hsm_journal, whole_lines
from kagimori.deployment.folder import Layout


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path)


def put(layout, name, content=b"x"):
    path = layout.data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def names(layout):
    return [member.name for member in files_of(layout)]


def test_roots_and_what_a_running_node_has_stay_out(layout):
    for name in (
        "seal.key",
        "node-id",
        "lock",
        "run/server.json",
        "run/synced/n-w0",
        "kagimori.db",
        "kagimori.db-wal",
        "audit/index.db",
        "audit/n-w0/.reserve",
        "tokens/pin",
        "passphrase.txt",
    ):
        put(layout, name)
    assert names(layout) == ["audit/n-w0"]


def test_digests_come_before_journals(layout):
    kept = (
        "kagimori.toml",
        "root-access-key.json",
        "tls/ca.pem",
        "tls/server.key",
        "audit/public-key.pem",
        "audit/delivery.json",
        "audit/digests/00000000000000000001.json",
        "audit/n-w0/00000000000000000001.jsonl",
        "audit/n-w0/00000000000000000007.jsonl",
    )
    for name in kept:
        put(layout, name, b"line\n")
    found = names(layout)
    assert found == [*kept[:7], "audit/n-w0", *kept[7:]]
    assert all(NAMES.fullmatch(name) for name in found)


def test_a_journal_ends_with_a_whole_line(layout):
    put(layout, "audit/n-w0/00000000000000000001.jsonl", b"one\ntwo\n")
    put(layout, "audit/n-w0/00000000000000000003.jsonl", b"three\nfo")
    assert [member.size for member in files_of(layout)] == [0, 8, 6]


@pytest.mark.parametrize(
    ("content", "length"), [(b"", 0), (b"torn", 0), (b"a\n", 2), (b"a\nb", 2), (b"\n\n", 2)]
)
def test_whole_lines(tmp_path, content, length):
    (tmp_path / "file").write_bytes(content)
    assert whole_lines(tmp_path / "file") == length


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "audit/../../x",
        "audit/./x",
        "seal.key",
        "node-id",
        "run/server.json",
        "tls/a/b",
        "audit/a/b/c",
        "kagimori.db-wal",
        "hsm/journal.jsonl\n",
        "audit/.reserve",
        "",
    ],
)
def test_no_other_name_is_restored(name):
    assert NAMES.fullmatch(name) is None


def minted(at):
    return json.dumps({"sequence": 1, "previous": "0", "record": {"at": at}}).encode() + b"\n"


@pytest.mark.parametrize(
    ("at", "growing", "waited"),
    [(99.0, True, [4.0]), (94.0, True, []), (99.0, False, []), (1000.0, True, []), ("x", True, [])],
)
def test_records_of_new_credentials_are_waited_for(layout, at, growing, waited):
    put(layout, "hsm/journal.jsonl", minted(1.0) + minted(at) + b"torn")
    pauses = []
    (member,) = settled_hsm_journal(layout, growing=growing, now=lambda: 100.0, sleep=pauses.append)
    assert pauses == waited
    assert member.size == len(minted(1.0) + minted(at))


def test_without_a_journal_of_the_hsm_there_is_none(layout):
    assert settled_hsm_journal(layout, growing=True) == []
