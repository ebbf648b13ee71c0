"""Ciphertexts opened without a server: what does not fit is refused, and by what reason."""

import fcntl
import json
import shutil
import sqlite3
from contextlib import closing

import pytest

import backups
from kagimori.deployment.folder import Unusable
from kagimori.deployment.offline import Sealed, offline
from kagimori.deployment.roots import People

UNKNOWN_KEY = "arn:aws:kms:us-east-1:111122223333:key/12345678-90ab-4def-8234-567890abcdef"
PLAIN = "symmetric, no context"


@pytest.fixture(scope="module")
def backup(tmp_path_factory):
    return backups.unpacked(backups.NEWEST, tmp_path_factory.mktemp("backup"))


@pytest.fixture
def store(backup, tmp_path):
    """A copy of the store that a test may spoil."""
    return shutil.copyfile(backup.store / "kagimori.db", tmp_path / "kagimori.db")


def decrypted(backup, kind=PLAIN, store=None, root=None, **sealed):
    with offline(store or backup.store, root or backup.root) as opened:
        return opened.decrypt(Sealed(backup.of(kind).blob, **sealed)).plaintext


def refused(words, backup, **options):
    with pytest.raises(Unusable) as refusal:
        decrypted(backup, **options)
    assert words in str(refusal.value)


def test_keys_by_every_name(backup):
    one = backup.of("of a multi-Region primary")
    with offline(backup.store, backup.root) as opened:
        plain = opened.decrypt(Sealed(one.blob, one.context))
        key_id = plain.key_arn.rpartition("/")[2]
        for name in (None, key_id, plain.key_arn, plain.key_arn.replace("us-east", "eu-central")):
            found = opened.decrypt(Sealed(one.blob, one.context, name))
            assert found.plaintext == one.plaintext
        assert len(list(opened.openable_keys(key_id))) == 2
        first = Sealed(backup.of(PLAIN).blob)
        arn = opened.decrypt(first).key_arn
        alias = arn.rpartition("key/")[0] + "alias/first"
        for name in ("alias/first", alias):
            assert opened.decrypt(Sealed(first.ciphertext, {}, name)).key_arn == arn
            assert [one.arn for one in opened.openable_keys(name)] == [arn]


def test_wrong_contexts_keys_and_ciphertexts(backup):
    refusals = [
        (Sealed(backup.of("re-encrypted").blob), "the encryption context is another one"),
        (Sealed(b"\x01" + bytes(100)), "00" * 32),
        (Sealed(b""), "no ciphertext of a symmetric key"),
        (Sealed(b"\x02" + backup.of(PLAIN).blob[1:]), "no ciphertext of a symmetric key"),
    ]
    blob = backup.of(PLAIN).blob
    names = {
        UNKNOWN_KEY: UNKNOWN_KEY,
        "arn:aws:kms": "no ARN",
        UNKNOWN_KEY.replace("key/", "alias/"): "has no KMS key",
        "alias/none": "alias/none",
        "12345678": "has no KMS key",
        "": "has no KMS key",
        "alias/first": "another KMS key",
    }
    with offline(backup.store, backup.root) as opened:
        for name, words in names.items():
            given = backup.of("re-encrypted").blob if name == "alias/first" else blob
            refusals.append((Sealed(given, {}, name), words))
        for sealed, words in refusals:
            with pytest.raises(Unusable) as refusal:
                opened.decrypt(sealed)
            assert words in str(refusal.value)


@pytest.mark.parametrize("cut", [0, 100, 4096, 100_000])
def test_a_store_that_was_cut_off(backup, store, cut):
    store.write_bytes(store.read_bytes()[:cut])
    refused(str(store), backup, store=store)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE kms_keys SET body = 'x'", "corrupt"),
        ("UPDATE kms_keys SET body = '{}'", "corrupt"),
        ('UPDATE domains SET body = \'{"sealed": "AQ=="}\'', "seal key"),
        ("DELETE FROM domains", "not a store of Kagimori"),
        ("DELETE FROM kms_keys", "no KMS key"),
        ("PRAGMA user_version = 999", "newer version"),
        ("DROP TABLE kms_keys", "cannot be used"),
    ],
)
def test_a_store_that_was_changed(backup, store, change, words):
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(change)
        connection.commit()
    refused(words, backup, store=store)


def test_a_token_of_another_key_does_not_open(backup, store):
    """The binding holds offline as well: a swapped row decrypts nothing."""
    material_id = backup.of(PLAIN).blob[1:33].hex()
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("SELECT key_id, body FROM kms_keys").fetchall()
        bodies = {key_id: json.loads(body) for key_id, body in rows}
        (mine,) = [k for k, body in bodies.items() if material_id in json.dumps(body)]
        other = next(
            body["backing_keys"][0]["key_token"]
            for key_id, body in bodies.items()
            if key_id != mine and "key_spec" not in body
        )
        bodies[mine]["backing_keys"][0]["key_token"] = other
        changed = json.dumps(bodies[mine]).encode()
        connection.execute("UPDATE kms_keys SET body = ? WHERE key_id = ?", (changed, mine))
        connection.commit()
    refused("its token was altered", backup, store=store)
    with offline(store, backup.root) as opened:
        assert [key.opened for key in opened.openable_keys("alias/first")] == [0]


def test_material_that_was_deleted_before_the_copy(backup, store):
    with closing(sqlite3.connect(store)) as connection:
        for key_id, body in connection.execute("SELECT key_id, body FROM kms_keys").fetchall():
            changed = json.loads(body)
            for backing_key in changed["backing_keys"]:
                backing_key.pop("key_token", None)
            connection.execute(
                "UPDATE kms_keys SET body = ? WHERE key_id = ?",
                (json.dumps(changed).encode(), key_id),
            )
        connection.commit()
    refused("is not in this store", backup, store=store)


def test_material_that_is_in_a_custom_key_store(backup, store):
    with closing(sqlite3.connect(store)) as connection:
        for key_id, body in connection.execute("SELECT key_id, body FROM kms_keys").fetchall():
            changed = json.loads(body) | {"custom_key_store_id": "cks-1234567890abcdef0"}
            connection.execute(
                "UPDATE kms_keys SET body = ? WHERE key_id = ?",
                (json.dumps(changed).encode(), key_id),
            )
        connection.commit()
    refused("in the custom key store cks-1234567890abcdef0", backup, store=store)


def test_a_folder_that_is_served_is_left_alone(backup, store):
    with store.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for place in (store, store.parent):
            refused("being served", backup, store=place)
    assert decrypted(backup, store=store.parent) == backup.of(PLAIN).plaintext


def test_places_without_a_store(backup, tmp_path):
    for place in (tmp_path, tmp_path / "none", tmp_path / "none" / "kagimori.db"):
        refused("neither a store", backup, store=place)


def test_what_the_write_ahead_log_has_is_in_the_copy(backup, store, tmp_path):
    """A folder copied whole has its newest changes in `kagimori.db-wal`."""
    copied = tmp_path / "copied"
    copied.mkdir()
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM materials")
        connection.commit()
        for name in ("kagimori.db", "kagimori.db-wal"):
            shutil.copyfile(store.with_name(name), copied / name)
    refused("no KMS key", backup, store=copied)


# --- roots that people hold -----------------------------------------------------------------------


def opened_with(backup, kind, *secrets):
    """Return the prompts that a root of this kind asked with, once it has opened the store."""
    left, prompts = [secret.encode() for secret in secrets], []

    def give(prompt):
        prompts.append(prompt)
        return left.pop(0)

    with offline(backup.store, People(kind, "", give)) as opened:
        assert opened.decrypt(Sealed(backup.of(PLAIN).blob)).plaintext == backup.of(PLAIN).plaintext
    assert left == []
    return prompts


def test_people_are_asked_for_what_is_needed(backup):
    first, _, third = backup.shares
    assert opened_with(backup, "passphrase", backup.passphrase) == ["passphrase: "]
    assert opened_with(backup, "quorum", third, f"  {first.upper()} ") == ["share 1: ", "share 2: "]


@pytest.mark.parametrize(
    ("kind", "secrets", "words"),
    [
        ("passphrase", ["another passphrase"], "does not open with this passphrase"),
        ("passphrase", [""], "does not open this seal"),
        ("quorum", ["words that are none"], "not the words of a share"),
        ("quorum", ["first", "first"], "given already"),
    ],
)
def test_wrong_secrets_of_people(backup, kind, secrets, words):
    given = [backup.shares[0] if secret == "first" else secret for secret in secrets]
    with pytest.raises(Unusable) as refusal:
        opened_with(backup, kind, *given)
    assert words in str(refusal.value)
    assert not any(secret in str(refusal.value) for secret in given if secret)


def test_a_store_without_a_seal_of_the_kind(tmp_path):
    older = backups.unpacked(backups.ARCHIVES[0], tmp_path)
    with pytest.raises(Unusable, match="it has no seal for this passphrase"):
        opened_with(older, "passphrase", "correct horse battery staple")
