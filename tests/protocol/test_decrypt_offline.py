"""`kagimori decrypt-offline`: a backup and a root open every ciphertext; all else is refused."""

import base64
import json
import os
import subprocess

import pytest

import backups
import serving


@pytest.fixture(scope="module")
def backup(tmp_path_factory):
    return backups.unpacked(backups.NEWEST, tmp_path_factory.mktemp("backup"))


@pytest.fixture
def sealed_file(backup, tmp_path):
    def write(kind):
        file = tmp_path / "ciphertext"
        file.write_bytes(backup.of(kind).blob)
        return file

    return write


def decrypt(backup, *options, given=b"", store=None, root=None):
    command = [
        *(serving.KAGIMORI, "decrypt-offline"),
        *("--store", store or backup.store, "--root", root or backup.root),
        *options,
    ]
    return subprocess.run(
        [str(word) for word in command],
        input=given,
        capture_output=True,
        timeout=60,
        env=serving.environment(),
    )


def refused(done, *words):
    """Hold that it was refused with one line that has these words, and printed nothing else."""
    text = done.stderr.decode()
    assert done.returncode == 1, text
    assert done.stdout == b""
    assert text.startswith("kagimori: ") and text.count("\n") == 1, text
    for word in words:
        assert word in text


CONTEXT = ("--context", "tenant=blue", "--context", "Zweck=Prüfung ✓", "--context", "empty=")


def test_bytes_base64_and_standard_input(backup, sealed_file):
    file, one = sealed_file("re-encrypted"), backup.of("re-encrypted")
    done = decrypt(backup, "--ciphertext", file, *CONTEXT)
    assert (done.returncode, done.stdout, done.stderr) == (0, one.plaintext, b"")
    encoded = base64.encodebytes(one.blob)
    done = decrypt(backup, "--ciphertext", "-", "--context", json.dumps(one.context), given=encoded)
    assert (done.returncode, done.stdout) == (0, one.plaintext), done.stderr
    alone = backup.store / "kagimori.db"
    done = decrypt(backup, "--ciphertext", file, *CONTEXT, "--output", "json", store=alone)
    answer = json.loads(done.stdout)
    assert base64.b64decode(answer["plaintext"]) == one.plaintext
    assert answer["material_id"] == one.blob[1:33].hex()
    assert answer["algorithm"] == "SYMMETRIC_DEFAULT"


def test_asymmetric_ciphertexts_need_their_key_named(backup, sealed_file):
    one = backup.of("RSA_2048 RSAES_OAEP_SHA_1")
    file = sealed_file(one.kind)
    done = decrypt(backup, "--ciphertext", file, "--key", one.key)
    assert (done.returncode, done.stdout) == (0, one.plaintext), done.stderr
    refused(decrypt(backup, "--ciphertext", file), "--key")
    other = ("--key", one.key, "--algorithm", "RSAES_OAEP_SHA_256")
    refused(decrypt(backup, "--ciphertext", file, *other), "another key or algorithm")
    none = ("--key", one.key, "--algorithm", "RSAES_PKCS1_V1_5")
    refused(decrypt(backup, "--ciphertext", file, *none), "RSAES_OAEP_SHA_256")


def test_keys_are_listed_with_what_opens(backup):
    done = decrypt(backup, "--list", "--output", "json")
    keys = json.loads(done.stdout)["keys"]
    assert {key["key_spec"] for key in keys} >= {"SYMMETRIC_DEFAULT", "RSA_2048", "ML_KEM_768"}
    assert max(key["materials"] for key in keys) == 3
    assert all(key["opened"] == key["materials"] for key in keys)
    assert {key["state"] for key in keys} >= {"Enabled", "Disabled", "PendingDeletion"}
    done = decrypt(backup, "--list", "--key", "alias/first")
    assert done.stdout.count(b"arn:") == 1
    assert b"1/1" in done.stdout


def test_ciphertexts_that_are_none(backup, sealed_file):
    refused(decrypt(backup, "--ciphertext", sealed_file("re-encrypted")), "context")
    refused(decrypt(backup, "--ciphertext", "-", given=b""), "empty")
    refused(decrypt(backup, "--ciphertext", "-", given=bytes(100_000)), "too long")
    refused(decrypt(backup, "--ciphertext", "-", given=b"hello"), "no ciphertext")
    refused(decrypt(backup, "--ciphertext", "/none"), "cannot read")


def test_roots_that_people_hold(backup, sealed_file):
    file, one = sealed_file("re-encrypted"), backup.of("re-encrypted")
    given = {"passphrase": [backup.passphrase], "shares": backup.shares[1:]}
    for root, secrets in given.items():
        lines = "".join(f"{secret}\n" for secret in secrets).encode()
        done = decrypt(backup, "--ciphertext", file, *CONTEXT, given=lines, root=root)
        assert (done.returncode, done.stdout) == (0, one.plaintext), done.stderr
        done = decrypt(backup, "--ciphertext", "-", given=lines, root=root)
        assert (done.returncode, done.stdout) == (2, b"")
    refused(decrypt(backup, "--list", given=b"wrong passphrase\n", root="passphrase"), "passphrase")
    refused(decrypt(backup, "--list", given=b"", root="shares"), "nothing was given")


def test_a_wrong_root(backup, sealed_file, tmp_path):
    file = sealed_file("symmetric, no context")
    for content in (os.urandom(32).hex().encode(), b"", b"no key", os.urandom(2000)):
        root = tmp_path / "root"
        root.write_bytes(content)
        refused(decrypt(backup, "--ciphertext", file, root=root), "does not open", str(root))
    refused(decrypt(backup, "--ciphertext", file, root=tmp_path / "none"), "No such file")
    refused(decrypt(backup, "--ciphertext", file, root=tmp_path), "Is a directory")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--list", "--ciphertext", "x"],
        ["--ciphertext", "-", "--context", "none"],
        ["--ciphertext", "-", "--context", "a=b", "--context", "a=c"],
        ["--ciphertext", "-", "--context", "{"],
        ["--ciphertext", "-", "--context", '{"a": 1}'],
        ["--ciphertext", "-", "--output", "xml"],
    ],
    ids=" ".join,
)
def test_called_wrongly(backup, options):
    done = decrypt(backup, *options, given=b"\x01" + bytes(100))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Traceback" not in done.stderr
