"""The recovery drill: a backup, a root and an empty machine; then every old ciphertext decrypts.

The backups are those of older versions, made while they were served, by SQLite's own backup and a
copy of the root elsewhere. Nothing else of the old machine is there: no journal, no node id, no
access key file. Promise: old-ciphertext-lives.
"""

import json
import shutil
import subprocess

import pytest

import backups
import second_hsm
import serving


def restored(backup, data):
    """Put the two parts together as docs/do/back-up-and-restore.md does."""
    data.mkdir(mode=0o700)
    shutil.copy(backup.store / "kagimori.db", data)
    shutil.copy(backup.root, data / "seal.key")
    (data / "seal.key").chmod(0o600)
    (data / "kagimori.db").chmod(0o600)


def access_key(backup):
    """Return the root access key, which those who operate the deployment know."""
    seal_key = bytes.fromhex(backup.root.read_text())
    store = second_hsm.Store(backup.store / "kagimori.db", seal_key)
    (found,) = store.secret_access_keys().items()
    return dict(zip(("access_key", "secret"), found, strict=True))


def started(data):
    arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0"]
    return serving.Server(arguments, data=data, made={"region": "us-east-1"}).wait_ready()


def everything_decrypts(server, backup, credentials):
    kms = server.client(**credentials)
    for one in backup.ciphertexts:
        if one.kind.startswith("of a disabled"):
            kms.enable_key(KeyId=key_of(kms, one))
        if one.kind.startswith("of a key that waits"):
            key_id = key_of(kms, one)
            kms.cancel_key_deletion(KeyId=key_id)
            kms.enable_key(KeyId=key_id)
        assert decrypted(kms, one) == one.plaintext, one.kind


def key_of(kms, one):
    """Find the key of a ciphertext that is not to be decrypted yet, by its material."""
    for page in kms.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            found = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
            if found.get("CurrentKeyMaterialId") == one.blob[1:33].hex():
                return key["KeyId"]
    raise AssertionError("no key has this material")


def decrypted(kms, one):
    if one.key is None:
        answer = kms.decrypt(CiphertextBlob=one.blob, EncryptionContext=one.context)
    elif one.algorithm == "ML_KEM":
        answer = kms.decapsulate(
            KeyId=one.key, SharedSecretCiphertextBlob=one.blob, EncapsulationAlgorithm="ML_KEM"
        )
        return answer["SharedSecret"]
    else:
        answer = kms.decrypt(
            KeyId=one.key, CiphertextBlob=one.blob, EncryptionAlgorithm=one.algorithm
        )
    return answer["Plaintext"]


@pytest.mark.parametrize(
    "archive", backups.ARCHIVES, ids=lambda archive: archive.name.partition(".")[0]
)
def test_backup_root_and_an_empty_machine(archive, tmp_path):
    backup = backups.unpacked(archive, tmp_path)
    with serving.temporary_folder() as folder:
        restored(backup, folder / "data")
        credentials = access_key(backup)
        server = started(folder / "data")
        try:
            everything_decrypts(server, backup, credentials)
            kms = server.client(**credentials)
            key_id = kms.create_key()["KeyMetadata"]["KeyId"]
            blob = kms.encrypt(KeyId=key_id, Plaintext=b"and on it goes")["CiphertextBlob"]
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"and on it goes"
        finally:
            assert server.stop() == 0


def test_backup_shares_and_an_empty_machine(tmp_path):
    """No seal key at all: two people with shares, and the backup."""
    backup = backups.unpacked(backups.NEWEST, tmp_path)
    credentials = access_key(backup)
    with serving.temporary_folder() as folder:
        data = folder / "data"
        restored(backup, data)
        (data / "seal.key").unlink()
        server = started(data)
        try:
            said = serving.run("seal", "list", "--data", data, "--output", "json", check=True)
            seals = json.loads(said.stdout)["seals"]
            (quorum,) = [seal["seal_id"] for seal in seals if seal["kind"] == "quorum"]
            for share in backup.shares[1:]:
                with serving.refused("KMSInternalException", status=500):
                    server.client(**credentials).list_keys()
                give(data, quorum, share)
            serving.eventually(lambda: serving.get(server.url + "/readyz")[0] == 200, 60)
            everything_decrypts(server, backup, credentials)
        finally:
            assert server.stop() == 0


def give(data, seal_id, share):
    command = [serving.KAGIMORI, "unseal", "--data", str(data), "--seal", seal_id]
    done = subprocess.run(command, input=f"{share}\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
