"""A deployment whose store is in PostgreSQL, served: its life, and what it survives.

Promise: acknowledged-is-durable.
"""

import os
import signal
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

import serving
from kit import postgres


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL that keeps what it says: tests end it as a crash would."""
    server = postgres.Server(safe=True)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def server(database):
    url = database.new_database()
    with serving.served("--workers", "2", init_options=("--store", url)) as started:
        yield started


def until(attempt, seconds=60):
    """Return what an attempt returns once it succeeds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except (ClientError, BotoCoreError):  # refused while workers start again
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_keys_aliases_grants_and_denials_are_as_on_sqlite(server):
    kms = server.client()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key_id)
    sealed = kms.encrypt(KeyId="alias/orders", Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    grant = kms.create_grant(
        KeyId=key_id,
        GranteePrincipal=f"arn:aws:iam::{server.account}:root",
        Operations=["Decrypt"],
    )
    assert [one["GrantId"] for one in kms.list_grants(KeyId=key_id)["Grants"]] == [grant["GrantId"]]
    assert [one["AliasName"] for one in kms.list_aliases(KeyId=key_id)["Aliases"]] == [
        "alias/orders"
    ]
    assert serving.run("status", "--data", server.data).returncode == 0
    assert "intact" in serving.run("audit", "verify", "--data", server.data, check=True).stdout


def test_the_folder_names_the_store_for_its_owner_alone_and_holds_no_other(server):
    place = server.data / "store-url"
    assert place.stat().st_mode & 0o077 == 0
    assert place.read_text().startswith("postgresql://")
    assert not (server.data / "kagimori.db").exists()


def test_a_database_that_holds_a_deployment_is_not_given_another(server, tmp_path):
    url = (server.data / "store-url").read_text().strip()
    refused = serving.run("init", "--data", tmp_path / "other", "--store", url)
    assert refused.returncode == 1
    assert "already holds a deployment" in refused.stderr
    assert not list((tmp_path / "other").iterdir())


def test_a_password_in_a_url_is_refused_and_not_shown(tmp_path):
    url = "postgresql://alice:hunter2hunter2@localhost/kagimori"
    refused = serving.run("init", "--data", tmp_path / "data", "--store", url)
    assert refused.returncode == 1
    assert "no password" in refused.stderr
    assert "hunter2" not in refused.stderr + refused.stdout
    assert not (tmp_path / "data").exists()


def test_a_killed_worker_loses_nothing_that_was_acknowledged(server):
    kms = server.client()
    key_id = kms.create_key(Description="before")["KeyMetadata"]["KeyId"]
    workers = [pid for name, pid in server.pids.items() if name.startswith("w")]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    found = until(lambda: server.client().describe_key(KeyId=key_id))
    assert found["KeyMetadata"]["Description"] == "before"


def test_a_database_that_crashes_costs_requests_and_loses_nothing(server, database):
    kms = server.client()
    made = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)]
    database.kill()
    with pytest.raises(ClientError) as refused:
        kms.create_key()
    assert refused.value.response["Error"]["Code"] == "KMSInternalException"
    database.start()
    made.append(until(kms.create_key)["KeyMetadata"]["KeyId"])
    for key_id in made:
        assert until(lambda k=key_id: kms.describe_key(KeyId=k))["KeyMetadata"]["Enabled"]
    assert "intact" in serving.run("audit", "verify", "--data", server.data, check=True).stdout


def test_after_a_restart_all_is_there(database):
    url = database.new_database()
    with serving.temporary_folder() as folder:
        serving.init(folder / "data", "--store", url)
        with serving.served(data=folder / "data") as first:
            key_id = first.client().create_key()["KeyMetadata"]["KeyId"]
            first.kill()
        with serving.served(data=folder / "data") as second:
            assert second.client().describe_key(KeyId=key_id)["KeyMetadata"]["Enabled"]
        assert "intact" in serving.run("audit", "verify", "--data", folder / "data").stdout


def test_a_backup_is_restored_to_a_file_and_moved_into_a_database(server, database, tmp_path):
    kms = server.client()
    key_id = kms.create_key(Description="kept")["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    (tmp_path / "message").write_bytes(sealed)
    to = tmp_path / "one.backup"
    serving.run("backup", "--data", server.data, "--to", to, check=True)
    root = server.data / "seal.key"
    with serving.temporary_folder() as folder:
        data = folder / "data"
        serving.run("restore", "--from", to, "--data", data, "--root", root, check=True)
        assert (data / "kagimori.db").exists()
        url = database.new_database()
        copied = serving.run(
            *("store", "copy", "--from", data, "--to", url, "--output", "json"), check=True
        )
        assert '"kms_keys"' in copied.stdout
        again = serving.run("store", "copy", "--from", data, "--to", url)
        assert again.returncode == 1
        assert "is not empty" in again.stderr
        serving.run("store", "use", url, "--data", data, check=True)
        assert (
            '"schema"'
            in serving.run(
                *("store", "migrate", "--data", data, "--output", "json"), check=True
            ).stdout
        )
        offline = serving.run(
            *("decrypt-offline", "--store", data, "--root", root),
            *("--ciphertext", tmp_path / "message"),
            check=True,
        )
        assert offline.stdout == "text"
        with serving.served(data=data) as restored:
            assert restored.client().decrypt(CiphertextBlob=sealed)["Plaintext"] == b"text"
            running = serving.run("store", "copy", "--from", data, "--to", folder / "x.db")
            assert "in use" in running.stderr
        assert "intact" in serving.run("audit", "verify", "--data", data, check=True).stdout


def test_another_deployment_s_store_is_not_used(server, database, tmp_path):
    url = (server.data / "store-url").read_text().strip()
    with serving.temporary_folder() as folder:
        serving.init(folder / "data")
        refused = serving.run("store", "use", url, "--data", folder / "data")
        assert "is not a copy of this deployment's store" in refused.stderr
        assert not (folder / "data" / "store-url").exists()
