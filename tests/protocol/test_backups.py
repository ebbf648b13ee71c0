"""Backups of a server under load: all that was acknowledged before is in them, and works again."""

import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import serving
from serving import KAGIMORI, run

USERS = 4


@pytest.fixture(scope="module")
def server():
    with serving.served() as made:
        yield made


@pytest.fixture
def folder():
    with serving.temporary_folder() as made:
        yield made


@pytest.fixture
def root(server, folder):
    (folder / "seal.key").write_bytes((server.data / "seal.key").read_bytes())
    return folder / "seal.key"


def back_up(data, to):
    done = run("backup", "--data", data, "--to", to, "--output", "json", check=True)
    return json.loads(done.stdout)


def policy_of(account, name):
    allow = {
        "Sid": name,
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


class Load:
    """People who make keys, change policies and encrypt; `done` are the changes with an answer."""

    def __init__(self, server):
        self.done, self._server = [], server
        self._stop, self._enough = threading.Event(), threading.Event()

    def work(self, number):
        kms = self._server.client()
        round_number = 0
        while not self._stop.is_set():
            round_number += 1
            name = f"u{number}r{round_number}"
            key = kms.create_key(Description=name)["KeyMetadata"]["KeyId"]
            policy = policy_of(self._server.account, name)
            kms.put_key_policy(KeyId=key, Policy=policy)
            blob = kms.encrypt(KeyId=key, Plaintext=name.encode())["CiphertextBlob"]
            if round_number % 2:
                kms.rotate_key_on_demand(KeyId=key)
            self.done.append((name, key, blob))
            if len(self.done) >= 3 * USERS:
                self._enough.set()

    def __enter__(self):
        self._pool = ThreadPoolExecutor(USERS)
        self._jobs = [self._pool.submit(self.work, number) for number in range(USERS)]
        assert self._enough.wait(60)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._pool.shutdown()
        for job in self._jobs:
            job.result()


def test_what_was_acknowledged_before_a_backup_is_in_it(server, folder, root):
    with Load(server) as load:
        acknowledged = list(load.done)
        made = back_up(server.data, folder / "one.backup")
    proof = run("backup", "verify", "--from", made["path"], "--root", root, "--output", "json")
    found = json.loads(proof.stdout)
    assert proof.returncode == 0, found
    assert (found["works"], found["sample"], found["findings"]) == (True, "decrypted", [])
    assert found["tokens"] >= len(acknowledged)
    assert found["backup_id"] == made["backup_id"]
    name, _, blob = acknowledged[0]
    (folder / "blob").write_bytes(blob)
    offline = ("decrypt-offline", "--store", made["path"], "--root", root)
    opened = run(*offline, "--ciphertext", folder / "blob", check=True)
    assert opened.stdout == name
    run("restore", "--from", made["path"], "--data", folder / "new", "--root", root, check=True)
    with serving.served(data=folder / "new") as restored:
        kms = restored.client()
        for name, key, blob in acknowledged:
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == name.encode()
            held = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
            assert held["Statement"][0]["Sid"] == name
        kms.create_key()
        assert run("audit", "verify", "--data", folder / "new").returncode == 0
        again = back_up(folder / "new", folder / "two.backup")
    assert run("backup", "verify", "--from", again["path"], "--root", root).returncode == 0
    assert run("audit", "verify", "--data", folder / "new").returncode == 0


def test_a_backup_says_who_may_and_is_recorded(server, folder):
    made = back_up(server.data, folder)
    assert list(folder.iterdir()) == [Path(made["path"])]
    assert made["bytes"] > made["plain_bytes"] > 100_000
    journal = b"".join(file.read_bytes() for file in serving.stream(server.data).glob("*.jsonl"))
    (record,) = [
        json.loads(line)["record"]
        for line in journal.splitlines()
        if made["backup_id"].encode() in line
    ]
    assert record["eventName"] == "CreateBackupKey"
    assert record["requestParameters"]["backupId"] == made["backup_id"]
    assert record["responseElements"] is None
    assert record["userIdentity"]["type"] == "Root"


def test_an_operator_who_may_not_gets_no_backup(server, folder):
    iam = server.client("iam")
    iam.create_user(UserName="nobody")
    made = iam.create_access_key(UserName="nobody")["AccessKey"]
    moved = server.data / "root-access-key.json"
    moved.rename(folder / "root-access-key.json")
    try:
        done = run(
            *("backup", "--data", server.data, "--to", folder / "x"),
            AWS_ACCESS_KEY_ID=made["AccessKeyId"],
            AWS_SECRET_ACCESS_KEY=made["SecretAccessKey"],
            AWS_REGION=server.region,
        )
    finally:
        (folder / "root-access-key.json").rename(moved)
    assert done.returncode == 1
    assert "is not authorized to perform: kagimori:CreateBackupKey" in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("key", ["RSA_2048", "disabled", "alias", "nothing", "elsewhere", "no arn"])
def test_a_sample_is_made_with_an_enabled_symmetric_key_alone(server, key):
    kms, admin = server.client(), server.client("kagimori")
    arns = {
        "nothing": f"arn:aws:kms:us-east-1:{server.account}:key/{'0' * 8}-0000-4000-8000-{'0' * 12}",
        "alias": f"arn:aws:kms:us-east-1:{server.account}:alias/x",
        "elsewhere": f"arn:aws:kms:xx-y-1:{server.account}:key/{'0' * 8}-0000-4000-8000-{'0' * 12}",
        "no arn": "arn:",
    }
    if key == "RSA_2048":
        arns[key] = kms.create_key(KeySpec=key, KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
    elif key == "disabled":
        arns[key] = kms.create_key()["KeyMetadata"]["Arn"]
        kms.disable_key(KeyId=arns[key])
    with pytest.raises(ClientError) as refused:
        admin.create_backup_key(BackupId="00000000-0000-4000-8000-000000000000", KeyId=arns[key])
    assert refused.value.response["Error"]["Code"] in (
        "ResourceNotFoundException",
        "NotFoundException",
        "InvalidArnException",
    )


@pytest.mark.parametrize(("kilobytes", "what"), [(100, "the store"), (240, "the backup itself")])
def test_a_disk_that_is_full_leaves_nothing(server, folder, kilobytes, what):
    """The limit of a file's size stands for the disk: first at the copy of the store, then later."""
    size = (server.data / "kagimori.db").stat().st_size // 1024
    limit = kilobytes if kilobytes < size else size + 1
    command = ["backup", "--data", str(server.data), "--to", str(folder / "x")]
    script = f'ulimit -f {limit}; exec "$@"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", KAGIMORI, *command],
        capture_output=True,
        text=True,
        timeout=60,
        env=serving.environment(),
    )
    assert done.returncode == 1, what
    assert done.stderr.startswith("kagimori: ")
    assert done.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_a_disk_that_is_full_gets_no_half_a_deployment(server, folder, root):
    made = back_up(server.data, folder / "x")
    done = subprocess.run(
        [
            *("bash", "-c", 'ulimit -f 100; exec "$@"', "bash", KAGIMORI, "restore"),
            *("--from", made["path"], "--data", folder / "new", "--root", root),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env=serving.environment(),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("kagimori: ")
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "--to", "x"), "give --data DIR and --to PLACE"),
        (("backup", "--data", "x"), "give --data DIR and --to PLACE"),
        (("backup", "--data", "x", "--to", "gs://bucket/x"), "gs:// is no place for backups"),
        (("backup", "verify", "--from", "gs://b", "--root", "x"), "gs:// is no place for backups"),
    ],
)
def test_options_that_make_no_sense(arguments, said):
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
