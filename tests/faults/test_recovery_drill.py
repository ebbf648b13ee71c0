"""The recovery drill: a backup, a root and an empty machine; then every old ciphertext decrypts.

The backups are those of older versions, made while they were served, by SQLite's own backup and a
copy of the root elsewhere. Nothing else of the old machine is there: no journal, no node id, no
access key file. Promise: old-ciphertext-lives.
"""

import shutil

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
        # Who operates the deployment knows their access key; here it is read from the backup.
        seal_key = bytes.fromhex(backup.root.read_text())
        store = second_hsm.Store(backup.store / "kagimori.db", seal_key)
        (access_key,) = store.secret_access_keys().items()
        credentials = dict(zip(("access_key", "secret"), access_key, strict=True))
        arguments = ["serve", "--data", folder / "data", "--listen", "127.0.0.1:0"]
        made = {"region": "us-east-1"}
        server = serving.Server(arguments, data=folder / "data", made=made).wait_ready()
        try:
            everything_decrypts(server, backup, credentials)
            kms = server.client(**credentials)
            key_id = kms.create_key()["KeyMetadata"]["KeyId"]
            blob = kms.encrypt(KeyId=key_id, Plaintext=b"and on it goes")["CiphertextBlob"]
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"and on it goes"
        finally:
            assert server.stop() == 0
