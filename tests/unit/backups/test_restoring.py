"""A whole deployment goes through a backup and back; what does not is refused, and leaves nothing."""

import io
import os
import shutil
import signal
import sqlite3
import stat
import tarfile
from pathlib import Path

import msgspec
import pytest

from kagimori.backups import making, opening, restoring
from kagimori.backups.form import Encrypting, Header, read_header, write_header
from kagimori.backups.making import back_up
from kagimori.backups.opening import unpacked_backup
from kagimori.backups.own_hsm import own_backup_key
from kagimori.backups.proving import NO_KEY, prove
from kagimori.backups.restoring import restore
from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.init import FirstSeal, initialise
from kagimori.deployment.opened import opened
from kagimori.deployment.roots import People, open_hsm
from kagimori.machinery.store.copies import newest_schema
from kagimori_boundary.commands import CreateBackupKey


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A deployment, its root elsewhere, and a backup of it."""
    folder = tmp_path_factory.mktemp("backups")
    initialise(folder / "data", tls_hosts=("localhost",))
    shutil.copy(folder / "data" / "seal.key", folder / "seal.key")
    made = make(folder / "data", folder / "kept.backup")
    assert made.path == str(folder / "kept.backup")
    return folder


@pytest.fixture
def kept(place):
    return place / "kept.backup"


@pytest.fixture
def root(place):
    return place / "seal.key"


def make(data, to):
    return back_up(data, to, lambda *asked: own_backup_key(data, *asked))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def outbox(data):
    with sqlite3.connect(f"file:{data / 'kagimori.db'}?mode=ro", uri=True) as store:
        return [bytes(record) for (record,) in store.execute("SELECT record FROM outbox")]


def modes(folder):
    return {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
    }


# --- there and back -------------------------------------------------------------------------------


def test_a_restored_deployment_is_the_one_that_was_backed_up(place, kept, root, tmp_path):
    before = os.umask(0)  # whatever it is, nobody else can read what is restored
    try:
        restored = restore(kept, tmp_path / "new", root)
    finally:
        os.umask(before)
    with opened(place / "data", read_only=True) as one, opened(tmp_path / "new") as other:
        assert other.facts == one.facts
    for name in ("seal.key", "root-access-key.json", "tls/server.key", "tls/ca.pem"):
        assert (tmp_path / "new" / name).read_bytes() == (place / "data" / name).read_bytes()
    assert restored.files == 5 + len(list((place / "data" / "tls").iterdir())) - 3
    assert {
        mode
        for name, mode in modes(tmp_path / "new").items()
        if (tmp_path / "new" / name).is_file()
    } == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert not (tmp_path / "new" / ".restoring").exists()
    node = Layout(tmp_path / "new").node_id.read_text()
    assert node != Layout(place / "data").node_id.read_text()


def test_a_backup_is_its_owners_alone_and_holds_no_root(kept, root):
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    content = kept.read_bytes()
    for secret in (root.read_bytes(), bytes.fromhex(root.read_text()), b"secret_access_key"):
        assert secret not in content
    with unpacked_backup(kept, root) as folder:
        names = {path.name for path in folder.rglob("*")}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert not names & {"seal.key", "node-id", "lock", "run", "backup.json"}
        assert "kagimori.db" in names
        for path in folder.rglob("*"):
            assert path.is_dir() or root.read_bytes() not in path.read_bytes()
    assert not folder.exists()


def test_a_backup_and_a_restore_are_recorded(place, kept, root, tmp_path):
    restored = restore(kept, tmp_path / "new", root)
    assert restored.backup_id.encode() in b"".join(
        record for record in outbox(place / "data") if b'"CreateBackupKey"' in record
    )
    (record,) = [one for one in outbox(tmp_path / "new") if b'"RestoreBackup"' in one]
    details = msgspec.json.decode(record)["serviceEventDetails"]
    assert details == {"backupId": restored.backup_id, "backupTime": restored.made_at}


def test_a_proof_opens_every_token_and_leaves_nothing(kept, root, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    proof = prove(kept, root)
    assert proof.works
    assert proof.tokens == 2  # the root access key, and the key that signs digests
    assert proof.sample == NO_KEY
    assert proof.findings == ()
    assert proof.age_seconds >= 0
    assert list(tmp_path.iterdir()) == []


def test_a_backup_is_restored_as_often_as_one_likes(kept, root, tmp_path):
    restore(kept, tmp_path / "one", root)
    restore(kept, tmp_path / "two", root)
    nodes = {(tmp_path / name / "node-id").read_text() for name in ("one", "two")}
    assert len(nodes) == 2
    with pytest.raises(Unusable, match="is not empty"):
        restore(kept, tmp_path / "one", root)
    assert prove(kept, root).works


def test_a_backup_of_a_restored_deployment_works(kept, root, tmp_path):
    restore(kept, tmp_path / "one", root)
    make(tmp_path / "one", tmp_path / "next.backup")
    assert prove(tmp_path / "next.backup", root).works


# --- what is refused ------------------------------------------------------------------------------


def refused(match, file, root, tmp_path):
    """Restore, verify and open are all refused, and leave nothing: neither where it was not nor where it was empty."""
    empty = tmp_path / "empty"
    empty.mkdir(exist_ok=True)
    for data in (tmp_path / "never", empty):
        with pytest.raises(Unusable, match=match):
            restore(file, data, root)
    assert not (tmp_path / "never").exists()
    assert list(empty.iterdir()) == []
    with pytest.raises(Unusable, match=match):
        prove(file, root)


def test_another_root_does_not_open_it(kept, tmp_path):
    other = tmp_path / "seal.key"
    other.write_text("ab" * 32)
    refused("does not open with .*the seal key does not open", kept, other, tmp_path)


@pytest.mark.parametrize("content", [b"", b"not hex", b"ab" * 5])
def test_a_root_that_is_none_opens_nothing(kept, tmp_path, content):
    (tmp_path / "seal.key").write_bytes(content)
    refused("does not open with", kept, tmp_path / "seal.key", tmp_path)


def test_a_root_or_a_backup_that_is_not_there(kept, root, tmp_path):
    refused("No such file", kept, tmp_path / "nothing", tmp_path)
    refused("No such file", tmp_path / "nothing", root, tmp_path)
    (tmp_path / "none").mkdir()
    refused("holds no backup", tmp_path / "none", root, tmp_path)


def test_another_file_is_no_backup(place, root, tmp_path):
    refused("is no backup", place / "data" / "kagimori.db", root, tmp_path)


def test_a_backup_that_is_cut_is_refused(kept, root, tmp_path):
    content = kept.read_bytes()
    (tmp_path / "cut").write_bytes(content[:-1])
    refused("was altered", tmp_path / "cut", root, tmp_path)


@pytest.mark.parametrize(
    "field", ["backup_id", "wrapped_key", "made_at", "made_by", "sealed_domains"]
)
def test_a_header_is_authenticated(place, kept, root, tmp_path, field):
    with kept.open("rb") as source:
        header, rest = read_header(source).header, source.read()
    value = getattr(header, field)
    changed = {
        float: lambda: value + 1,
        str: lambda: value[:-1] + "~",
        bytes: lambda: value[:-1] + bytes((value[-1] ^ 1,)),
    }
    out = io.BytesIO()
    write_header(out, msgspec.structs.replace(header, **{field: changed[type(value)]()}))
    (tmp_path / "altered").write_bytes(out.getvalue() + rest)
    refused("altered|does not open", tmp_path / "altered", root, tmp_path)


def forged(kept, root, monkeypatch, target, members=(), **changes):
    """Write an archive of whatever members with the true key of a backup."""
    with kept.open("rb") as source:
        header = msgspec.structs.replace(read_header(source).header, **changes)
    key = opening._key_of(header, root)
    with target.open("wb") as out:
        encrypting = Encrypting(out, key, write_header(out, header))
        with tarfile.open(fileobj=encrypting, mode="w|") as archive:
            for entry, content in members:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        encrypting.finish()


def test_a_backup_of_a_newer_version_is_refused(kept, root, tmp_path, monkeypatch):
    target = tmp_path / "newer"
    newer = {"schema": newest_schema() + 1, "made_by": "99.0"}
    forged(kept, root, monkeypatch, target, **newer)
    refused(r"newer version of Kagimori \(99.0\)", target, root, tmp_path)


def test_an_archive_cannot_write_elsewhere(kept, root, tmp_path, monkeypatch):
    link = tarfile.TarInfo("tls/x")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for entry, match in (
        (tarfile.TarInfo("../outside"), "no deployment has"),
        (tarfile.TarInfo("/tmp/outside"), "no deployment has"),
        (tarfile.TarInfo("seal.key"), "no deployment has"),
        (link, "something else than files"),
    ):
        target = tmp_path / "forged"
        forged(kept, root, monkeypatch, target, [(entry, b"" if entry is link else b"x")])
        refused(match, target, root, tmp_path)


def test_an_archive_without_a_store_is_incomplete(kept, root, tmp_path, monkeypatch):
    target = tmp_path / "forged"
    forged(kept, root, monkeypatch, target)
    refused("is incomplete", target, root, tmp_path)


def test_a_place_that_holds_something_is_refused_and_kept(place, kept, root, tmp_path):
    with pytest.raises(Unusable, match="is not empty"):
        restore(kept, place / "data", root)
    assert (place / "data" / "kagimori.db").exists()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "precious").write_text("x")
    with pytest.raises(Unusable, match="is not empty"):
        restore(kept, tmp_path / "new", root)
    assert names_in(tmp_path / "new") == ["precious"]
    with pytest.raises(Unusable, match="cannot write"):
        restore(kept, tmp_path / "new" / "precious", root)


def test_there_is_no_backup_of_no_deployment(tmp_path):
    with pytest.raises(Unusable, match="holds no deployment"):
        make(tmp_path, tmp_path / "x")


# --- ended in the middle --------------------------------------------------------------------------


def in_child(work):
    """Do something in another process; return the signal that ended it, or its exit code."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def kill_me(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_backup_that_is_killed_leaves_the_one_before_and_no_obstacle(place, root, tmp_path):
    data = place / "data"
    to = tmp_path / "kept.backup"
    make(data, to)
    before = to.read_bytes()
    assert in_child(lambda: back_up(data, to, kill_me)) == signal.SIGKILL
    assert to.read_bytes() == before
    assert names_in(tmp_path) == [".kept.backup.making", "kept.backup"]
    make(data, to)
    assert to.read_bytes() != before
    assert names_in(tmp_path) == ["kept.backup"]


@pytest.mark.parametrize("moves", [0, 1, 3])
def test_a_restore_that_is_killed_is_begun_again(kept, root, tmp_path, monkeypatch, moves):
    data, rename = tmp_path / "new", Path.rename
    left = [moves]

    def rename_or_die(path, target):
        if not left[0]:
            kill_me()
        left[0] -= 1
        return rename(path, target)

    def killed():
        monkeypatch.setattr(restoring.Path, "rename", rename_or_die)
        restore(kept, data, root)

    assert in_child(killed) == signal.SIGKILL
    assert not (data / "kagimori.db").exists()
    with pytest.raises(Unusable, match="holds no deployment"), opened(data):
        pass
    restore(kept, data, root)
    assert not (data / ".restoring").exists()
    with opened(data, read_only=True):
        pass


def test_what_changes_meanwhile_begins_the_backup_anew(place, root, tmp_path):
    """A domain key that the copy of the store lacks could never be opened with the copy."""
    data, asked = place / "data", []

    def ask(backup_id, arn):
        asked.append(backup_id)
        key = own_backup_key(data, backup_id, arn)
        if len(asked) == 1:
            return msgspec.structs.replace(key, wrapped=b"\x01" + bytes(8) + key.wrapped[9:])
        return key

    made = back_up(data, tmp_path / "x", ask)
    assert len(asked) == 2
    assert made.backup_id == asked[1]
    assert prove(tmp_path / "x", root).works


def test_a_backup_that_never_settles_is_given_up(place, tmp_path):
    data = place / "data"
    key = making.BackupKey(bytes(32), b"\x01" + bytes(60), b"")
    with pytest.raises(Unusable, match="no backup was made"):
        back_up(data, tmp_path / "x", lambda *asked: key)
    assert names_in(tmp_path) == []


def test_the_header_says_no_more_than_it_must():
    assert set(Header.__struct_fields__) == {
        "backup_id",
        "made_at",
        "made_by",
        "schema",
        "sealed_domains",
        "wrapped_key",
    }


# --- roots that people hold -----------------------------------------------------------------------


def kept_by_people(folder, kind, parameters, secret=b""):
    """Return a backup of a deployment whose only seal people hold, and its shares."""
    shares = []
    initialise(folder / "data", first_seal=FirstSeal(kind, parameters, secret, shares.extend))
    with opened(folder / "data", read_only=True) as deployment:
        sealed_domains = deployment.facts.sealed_domains

    def ask(backup_id, _):
        given = iter([secret] if secret else [share.encode() for share in shares])
        root = People(kind, "", lambda _: next(given))
        with open_hsm(folder / "hsm.sock", sealed_domains, root) as hsm:
            made = hsm.ask(CreateBackupKey(backup_id))
        return making.BackupKey(made.backup_key, made.wrapped_key, made.sample)

    back_up(folder / "data", folder / "kept.backup", ask)
    return folder / "kept.backup", shares


def test_a_passphrase_opens_a_backup(tmp_path):
    right = b"correct horse battery"
    file, _ = kept_by_people(tmp_path, "passphrase", {}, right)
    asked = []
    root = People("passphrase", "", lambda _: asked.append(1) or right)
    assert prove(file, root).works
    assert len(asked) == 1  # remembered for the trial
    restore(file, tmp_path / "new", root)
    assert not (tmp_path / "new" / "seal.key").exists()
    with opened(tmp_path / "new", read_only=True):
        pass
    wrong = People("passphrase", "", lambda _: b"another horse battery")
    for root, match in (
        (wrong, "does not open"),
        (People("quorum", "", lambda _: b""), "no seal for these shares"),
        (People("passphrase", "0" * 12, lambda _: right), "no seal for this passphrase"),
    ):
        with pytest.raises(Unusable, match=match):
            restore(file, tmp_path / "never", root)
    (tmp_path / "seal.key").write_text("ab" * 32)
    with pytest.raises(Unusable, match="does not open"):
        restore(file, tmp_path / "never", tmp_path / "seal.key")
    assert not (tmp_path / "never").exists()


def test_enough_shares_open_a_backup(tmp_path):
    file, shares = kept_by_people(tmp_path, "quorum", {"threshold": 2, "shares": 3})
    given = iter([shares[2].encode(), shares[0].encode()])
    root = People("quorum", "", lambda _: next(given))
    assert restore(file, tmp_path / "new", root).backup_id
    assert next(given, None) is None
