"""A loss of key material that the store does not take is none, to the HSM as well."""

import contextlib
import os
import sqlite3

import outside
import serving
from serving import eventually, refused


def test_material_whose_loss_is_not_committed_works_on():
    with serving.served() as server:
        kms = server.client()
        key = outside.new_imported_key(kms, os.urandom(32))
        blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
        with contextlib.closing(sqlite3.connect(server.data / "kagimori.db")) as other:
            other.execute("BEGIN IMMEDIATE")  # nobody else can write
            with refused("KMSInternalException", status=500):
                kms.delete_imported_key_material(KeyId=key)
            other.rollback()
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"
        eventually(lambda: serving.get(server.url + "/readyz")[0] == 200)
        kms.delete_imported_key_material(KeyId=key)
        with refused("KMSInvalidStateException"):
            kms.decrypt(CiphertextBlob=blob)
        kms.close()
