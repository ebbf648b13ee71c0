"""Backups in a bucket: there whole or not at all, newest first, and believed no more than files."""

import os
import shutil
import signal

import pytest

from kagimori.backups import making, own_hsm, places
from kagimori.backups.making import back_up
from kagimori.backups.opening import unpacked_backup
from kagimori.backups.own_hsm import own_backup_key
from kagimori.backups.proving import prove
from kagimori.backups.restoring import restore
from kagimori.deployment.folder import Unusable
from kagimori.deployment.init import initialise
from kagimori.machinery.chance import uuids
from kagimori.trail import bucket_calls, bucket_objects
from kit import bucket as buckets

FOLDER = "s3://kept/of/kagimori"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A deployment, and its root elsewhere."""
    folder = tmp_path_factory.mktemp("backups")
    initialise(folder / "data")
    shutil.copy(folder / "data" / "seal.key", folder / "seal.key")
    return folder


@pytest.fixture
def root(place):
    return place / "seal.key"


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setattr(bucket_calls, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(bucket_objects, "PART_BYTES", 256 * 1024)
    with buckets.served() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def make(place, to=FOLDER):
    return back_up(place / "data", to, lambda *asked: own_backup_key(place / "data", *asked))


def test_a_backup_goes_to_a_bucket_and_back(place, root, bucket, tmp_path):
    made = make(place)
    (name,) = bucket.objects
    assert made.path == f"s3://kept/{name}"
    assert made.bytes == len(bucket.objects[name])
    assert sum(method == "PUT" for method, _ in bucket.asked) > 1  # in parts
    assert prove(FOLDER, root).works
    assert restore(made.path, tmp_path / "new", root).backup_id == made.backup_id
    with unpacked_backup(FOLDER, root) as folder:
        assert (folder / "kagimori.db").exists()


def test_the_newest_one_is_taken(place, root, bucket, monkeypatch):
    monkeypatch.setattr(making.time, "time", lambda: 1_700_000_000.0)
    first = make(place)
    monkeypatch.undo()
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    second = make(place)
    bucket.objects["of/kagimori/kagimori-29991231T000000Z-x.backup/y.backup"] = b"elsewhere"
    bucket.objects["of/kagimori/zzz"] = b"something else"
    assert prove(FOLDER, root).backup_id == second.backup_id
    assert prove(first.path, root).backup_id == first.backup_id


def test_a_name_of_ones_own(place, root, bucket):
    made = make(place, f"{FOLDER}/mine.backup")
    assert list(bucket.objects) == ["of/kagimori/mine.backup"]
    assert prove(made.path, root).backup_id == made.backup_id


@pytest.mark.parametrize("change", ["cut", "altered", "swapped", "empty", "added to"])
def test_what_somebody_did_to_an_object_is_refused(place, root, bucket, tmp_path, change):
    first, second = make(place), make(place)
    one, other = (made.path.removeprefix("s3://kept/") for made in (first, second))
    content = bucket.objects[one]
    middle = len(content) // 2
    altered = content[:middle] + bytes((content[middle] ^ 1,)) + content[middle + 1 :]
    bucket.objects[one] = {
        "cut": content[:-1000],
        "altered": altered,
        "swapped": content[:middle] + bucket.objects[other][middle:],
        "empty": b"",
        "added to": content + b"x",
    }[change]
    with pytest.raises(Unusable, match=r"altered|cut short|no backup"):
        restore(first.path, tmp_path / "new", root)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("fault", [403, 500, "close"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_bucket_that_refuses_gets_no_half_a_backup(place, bucket, method, fault):
    bucket.faults[method] = [fault] * 50
    with pytest.raises(Unusable, match="no backup was made"):
        make(place)
    assert (bucket.objects, bucket.uploads) == ({}, {})


@pytest.mark.parametrize("fault", [403, 500, "close"])
def test_a_bucket_that_refuses_restores_nothing(place, root, bucket, tmp_path, fault):
    made = make(place)
    for source in (made.path, FOLDER):
        bucket.faults["GET"] = [fault] * 50
        with pytest.raises(Unusable, match="cannot be read"):
            restore(source, tmp_path / "new", root)
        assert not (tmp_path / "new").exists()


def test_a_connection_that_breaks_all_the_time_restores_all_the_same(place, root, bucket, tmp_path):
    made = make(place)
    bucket.faults["GET"] = ["half"] * 12
    assert restore(made.path, tmp_path / "new", root).backup_id == made.backup_id


def test_a_backup_that_is_killed_is_none(place, root, bucket):
    send = bucket_objects.Upload._send

    def send_or_die(upload, part):
        if upload._parts:
            os.kill(os.getpid(), signal.SIGKILL)
        send(upload, part)

    child = os.fork()
    if child == 0:
        bucket_objects.Upload._send = send_or_die
        own_hsm.new_uuid = making.new_uuid = uuids()  # not the ones that the parent draws next
        try:
            make(place)
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert bucket.objects == {}
    assert len(bucket.uploads) == 1
    with pytest.raises(Unusable, match="holds no backup"):
        prove(FOLDER, root)
    make(place)
    assert prove(FOLDER, root).works


@pytest.mark.parametrize(
    "where", ["s3://Kept", "s3://kept/../x", "s3://kept/a b.backup", "s3://", "s3://kept/é"]
)
def test_where_no_bucket_is(place, root, bucket, where):
    with pytest.raises(Unusable, match="is not s3://BUCKET/PREFIX"):
        make(place, where)
    with pytest.raises(Unusable, match="is not s3://BUCKET/PREFIX"):
        prove(where, root)


def test_without_credentials_nothing_is_asked(place, bucket, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Unusable, match="needs AWS_ACCESS_KEY_ID"):
        make(place)
    assert bucket.asked == []


def test_of_a_folder_the_newest_backup_is_taken(place, root, tmp_path):
    make(place, tmp_path / "mine.backup")
    assert prove(tmp_path, root).works
    make(place, tmp_path / "another.backup")
    with pytest.raises(Unusable, match="several backups"):
        prove(tmp_path, root)
    newest = make(place, tmp_path)
    assert prove(tmp_path, root).backup_id == newest.backup_id
    assert places.is_in_bucket("s3://x")
