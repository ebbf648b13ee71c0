"""A node's id: made once, stable, and held to its form."""

import threading

import pytest

from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.node import node_id
from kagimori.rules.chain.stream_names import (
    admin_stream,
    is_admin_stream,
    is_node_id,
    is_of_node,
    worker_stream,
    writer_of,
)

NODE = "k7q2m5x3ab"


def test_it_is_made_once_and_stays(tmp_path):
    layout = Layout(tmp_path)
    made = node_id(layout)
    assert is_node_id(made)
    assert [node_id(layout) for _ in range(3)] == [made] * 3
    assert [file.name for file in tmp_path.iterdir()] == ["node-id"]
    assert layout.node_id.stat().st_mode & 0o777 == 0o600


def test_no_two_folders_have_the_same(tmp_path):
    found = set()
    for number in range(50):
        (tmp_path / str(number)).mkdir()
        found.add(node_id(Layout(tmp_path / str(number))))
    assert len(found) == 50


def test_of_many_that_make_it_at_once_all_have_the_first(tmp_path):
    found, layout = [], Layout(tmp_path)
    threads = [threading.Thread(target=lambda: found.append(node_id(layout))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {layout.node_id.read_text().strip()}


def test_it_may_be_written_by_hand(tmp_path):
    (tmp_path / "node-id").write_text(NODE)
    assert node_id(Layout(tmp_path)) == NODE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"K7Q2M5X3AB\n",
        b"k7q2m5x3a\n",
        b"k7q2m5x3abc\n",
        b"k7q2m5x3ab\n\n",
        b"k7q2m5x3ab \n",
        b"k7q2m5x3a1\n",
        b"../../etc/\n",
        b"k7q2m5x3a\xe2\x82\xac",
        b"a" * 100_000,
    ],
)
def test_what_is_no_id_is_refused_in_a_line(tmp_path, content):
    (tmp_path / "node-id").write_bytes(content)
    with pytest.raises(Unusable, match="does not hold the id of a node") as refused:
        node_id(Layout(tmp_path))
    assert "\n" not in str(refused.value)
    assert (tmp_path / "node-id").read_bytes() == content


def test_what_cannot_be_read_is_refused_in_a_line(tmp_path):
    (tmp_path / "node-id").mkdir()
    with pytest.raises(Unusable, match="Is a directory"):
        node_id(Layout(tmp_path))
    with pytest.raises(Unusable, match="No such file"):
        node_id(Layout(tmp_path / "none"))


def test_names_of_streams_say_their_node_and_their_writer():
    assert (worker_stream(NODE, "w0"), admin_stream(NODE)) == (f"{NODE}-w0", f"{NODE}-admin")
    names = [f"{NODE}-w0-2", "w0", "w0-2", "admin", f"{NODE}-admin", "backup-admin"]
    assert [writer_of(name) for name in names] == [
        *("w0-2", "w0", "w0-2", "admin", "admin", "backup-admin"),
    ]
    assert [is_admin_stream(name) for name in names] == [False, False, False, True, True, False]
    assert [is_of_node(name, NODE) for name in names] == [True, False, False, False, True, False]
