"""Ciphertexts of every version, opened from a backup of it and its root, without a server.

Promise: old-ciphertext-lives.
"""

from itertools import combinations

import pytest

import backups
import second_hsm
from kagimori.deployment.folder import Unusable
from kagimori.deployment.offline import Sealed, offline
from kagimori.deployment.roots import People

KINDS = {
    "symmetric, no context",
    "symmetric, as long as it may be",
    "of the first generation",
    "of the third generation",
    "data key",
    "data key pair",
    "re-encrypted",
    "of imported material",
    "of imported material, second generation",
    "of a multi-Region replica",
    "RSA_2048 RSAES_OAEP_SHA_1",
    "RSA_4096 RSAES_OAEP_SHA_256",
    "ML_KEM_1024",
    "of a disabled key",
    "of a key that waits for its deletion",
    "after the domain keys were rotated",
}


@pytest.fixture(params=backups.ARCHIVES, ids=lambda archive: archive.name.partition(".")[0])
def backup(request, tmp_path):
    return backups.unpacked(request.param, tmp_path)


def test_every_ciphertext_opens_and_the_backup_stays_as_it_was(backup):
    assert {one.kind for one in backup.ciphertexts} >= KINDS
    before = backups.files_of(backup.store)
    with offline(backup.store, backup.root) as opened:
        for one in backup.ciphertexts:
            named = Sealed(one.blob, one.context, one.key, one.algorithm)
            assert opened.decrypt(named).plaintext == one.plaintext, one.kind
            found_out = Sealed(one.blob, one.context, one.key)
            assert opened.decrypt(found_out).plaintext == one.plaintext, one.kind
            assert one.plaintext not in repr(opened.decrypt(named)).encode()
        for key in opened.openable_keys(None):
            assert key.opened == key.materials > 0, key
    assert backups.files_of(backup.store) == before


def giving(*secrets):
    """Return what is asked for secrets, and gives these one after the other."""
    left = [secret.encode() for secret in secrets]
    return lambda prompt: left.pop(0)


def test_people_open_it_as_well(backup):
    if backup.passphrase is None:
        pytest.skip("this version had no seals for people")
    roots = [People("passphrase", "", giving(backup.passphrase))]
    roots += [People("quorum", "", giving(*pair)) for pair in combinations(backup.shares, 2)]
    one = backup.of("re-encrypted")
    for root in roots:
        with offline(backup.store, root) as opened:
            assert opened.decrypt(Sealed(one.blob, one.context)).plaintext == one.plaintext


def test_no_ciphertext_opens_when_something_is_another(backup):
    with offline(backup.store, backup.root) as opened:
        for one in backup.ciphertexts:
            flipped = one.blob[:-1] + bytes((one.blob[-1] ^ 1,))
            spoilt = [Sealed(flipped, one.context, one.key)]
            spoilt += [Sealed(one.blob, {**one.context, "more": "x"}, one.key)]
            for sealed in spoilt if not one.kind.startswith("ML_KEM") else spoilt[1:]:
                with pytest.raises(Unusable):
                    opened.decrypt(sealed)
            if one.kind.startswith("ML_KEM"):  # it rejects implicitly: another secret, no error
                assert opened.decrypt(spoilt[0]).plaintext != one.plaintext


def test_the_description_of_the_formats_is_enough(backup):
    """Without anything of ours: the second implementation reads the store and opens everything."""
    database = backup.store / "kagimori.db"
    store = second_hsm.Store(database, bytes.fromhex(backup.root.read_text()))
    if backup.passphrase is not None:
        store = second_hsm.Store(database, by_passphrase(backup.passphrase))
        store = second_hsm.Store(database, lambda _: second_hsm.secret_of_shares(backup.shares[:2]))
    for one in backup.ciphertexts:
        opened = store.decrypt(one.blob, one.context, one.key, one.algorithm)
        assert opened == one.plaintext, one.kind
    assert all(len(secret) == 40 for secret in store.secret_access_keys().values())
    assert store.secret_access_keys() and store.audit_key()


def by_passphrase(passphrase):
    def secret_of(seal):
        assert seal["kind"] == "passphrase"
        return second_hsm.secret_of_passphrase(passphrase, seal["parameters"])

    return secret_of
