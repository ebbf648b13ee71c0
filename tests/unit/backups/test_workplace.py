"""Where a backup is written: it has its name once it is whole, and nothing else is left or lost."""

import stat

import pytest

from kagimori.backups.form import MAGIC
from kagimori.backups.workplace import workplace
from kagimori.deployment.folder import Unusable


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def write(place, content=b"new"):
    place.part.write_bytes(MAGIC + content)
    return place.publish("name.backup")


def test_a_folder_gets_a_file_of_that_name(tmp_path, data):
    to = tmp_path / "to"
    to.mkdir()
    with workplace(to, data) as place:
        assert stat.S_IMODE(place.part.parent.stat().st_mode) == 0o700
        assert write(place) == to / "name.backup"
    assert names_in(to) == ["name.backup"]


def test_a_file_is_replaced_at_once(tmp_path, data):
    to = tmp_path / "kept.backup"
    to.write_bytes(MAGIC + b"old")
    with workplace(to, data) as place:
        place.part.write_bytes(MAGIC + b"new")
        assert to.read_bytes() == MAGIC + b"old"
        assert place.publish("name.backup") == to
    assert to.read_bytes() == MAGIC + b"new"
    assert names_in(tmp_path) == ["data", "kept.backup"]


def test_what_fails_leaves_nothing_and_takes_nothing(tmp_path, data):
    to = tmp_path / "kept.backup"
    to.write_bytes(MAGIC + b"old")
    with pytest.raises(ZeroDivisionError), workplace(to, data) as place:
        place.part.write_bytes(b"half")
        place.store.write_bytes(b"half")
        raise ZeroDivisionError
    assert to.read_bytes() == MAGIC + b"old"
    assert names_in(tmp_path) == ["data", "kept.backup"]


def test_what_a_killed_one_left_is_cleared_away(tmp_path, data):
    left = tmp_path / ".kept.backup.making"
    left.mkdir(mode=0o700)
    (left / "part").write_bytes(b"half")
    (left / "store.db-wal").write_bytes(b"half")
    with workplace(tmp_path / "kept.backup", data) as place:
        assert not any(left.iterdir())
        write(place)
    assert names_in(tmp_path) == ["data", "kept.backup"]


def test_no_two_write_one_place(tmp_path, data):
    to = tmp_path / "kept.backup"
    with workplace(to, data) as place:
        with (
            pytest.raises(Unusable, match="another backup is being written"),
            workplace(to, data),
        ):
            pass
        write(place)
    assert to.exists()


@pytest.mark.parametrize("content", [b"", b"precious"])
def test_another_file_is_not_replaced(tmp_path, data, content):
    to = tmp_path / "seal.key"
    to.write_bytes(content)
    with pytest.raises(Unusable, match="is no backup: it is not replaced"), workplace(to, data):
        pass
    assert to.read_bytes() == content


def test_not_in_the_data_folder_nor_where_there_is_no_folder(tmp_path, data):
    link = tmp_path / "link"
    link.symlink_to(data)
    for to in (data, data / "x", link, link / "x"):
        with pytest.raises(Unusable, match="keep backups elsewhere"), workplace(to, data):
            pass
    with pytest.raises(Unusable, match="there is no folder"), workplace(tmp_path / "a/b", data):
        pass


def test_a_link_in_the_way_is_not_followed(tmp_path, data):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_bytes(b"x")
    (tmp_path / ".kept.backup.making").symlink_to(elsewhere)
    with pytest.raises(Unusable, match="cannot write"), workplace(tmp_path / "kept.backup", data):
        pass
    assert (elsewhere / "precious").read_bytes() == b"x"


def test_a_folder_that_others_can_change_is_not_used(tmp_path, data):
    left = tmp_path / ".kept.backup.making"
    left.mkdir()
    left.chmod(0o770)
    with pytest.raises(Unusable, match="by others"), workplace(tmp_path / "kept.backup", data):
        pass
    assert left.is_dir()
