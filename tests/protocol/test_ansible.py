"""An Ansible playbook sets up two accounts; then each documented path is tried over the wire."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

import serving
from serving import refused

PLAYBOOK = Path(__file__).parents[2] / "examples" / "ansible" / "two-accounts.yml"
FINANCE = {"Department": "Finance"}

pytestmark = pytest.mark.skipif(
    shutil.which("ansible-playbook") is None,
    reason="ansible is not installed (CI installs the Debian package)",
)


def play(folder, variables):
    (folder / "variables.json").write_text(json.dumps(variables))
    return subprocess.run(
        ["ansible-playbook", PLAYBOOK, "-i", "localhost,", "-e", f"@{folder / 'variables.json'}"],
        capture_output=True,
        text=True,
        timeout=240,
        env={
            **os.environ,
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
            "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        },
    )


class Accounts:
    def __init__(self, server, folder):
        self.server = server
        made = serving.run("account", "create", "--data", server.data, "--output", "json")
        self.partner = json.loads(made.stdout)
        owner = {**server.made, "endpoint_url": server.url}
        variables = {
            "owner": owner,
            "partner": {**self.partner, "endpoint_url": server.url},
            "result_file": str(folder / "made.json"),
        }
        self.first = play(folder, variables)
        assert self.first.returncode == 0, self.first.stdout[-4000:] + self.first.stderr[-2000:]
        self.made = json.loads((folder / "made.json").read_text())
        # Run again, it finds all as it should be (access keys aside, which are made anew).
        self.second = play(folder, {**variables, "result_file": str(folder / "again.json")})

    def client(self, service, who, token=None):
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name="us-east-1",
            aws_access_key_id=who["access_key_id"],
            aws_secret_access_key=who["secret_access_key"],
            aws_session_token=token,
        )

    def of(self, name):
        return {
            "access_key_id": self.made[name]["access_key"]["access_key_id"],
            "secret_access_key": self.made[name]["secret_access_key"],
        }


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    with serving.served() as server:
        yield Accounts(server, tmp_path_factory.mktemp("ansible"))


def test_a_second_run_changes_nothing_but_access_keys(accounts):
    assert accounts.second.returncode == 0, accounts.second.stdout[-4000:]
    changed = [line for line in accounts.second.stdout.splitlines() if line.startswith("changed:")]
    assert len(changed) <= 3, accounts.second.stdout  # two access keys, one file


def test_alice_may_by_the_alias_of_the_key(accounts):
    kms = accounts.client("kms", accounts.of("alice"))
    box = kms.encrypt(KeyId="alias/team-shared", Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == b"x"
    with refused("AccessDeniedException"):
        kms.disable_key(KeyId=accounts.made["key"])
    with refused("AccessDenied", status=403):
        accounts.client("iam", accounts.of("alice")).list_users()
    other = accounts.server.client().create_key()["KeyMetadata"]["Arn"]
    with refused("AccessDeniedException"):
        kms.encrypt(KeyId=other, Plaintext=b"x")


def test_bob_encrypts_and_cannot_decrypt_as_himself(accounts):
    kms = accounts.client("kms", accounts.of("bob"))
    key = accounts.made["key"]
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    box = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=FINANCE)["CiphertextBlob"]
    with refused("AccessDeniedException"):
        kms.decrypt(CiphertextBlob=box, EncryptionContext=FINANCE)
    with refused("AccessDeniedException"):
        kms.list_keys()


def test_bob_decrypts_finance_through_the_role(accounts):
    bob, key = accounts.of("bob"), accounts.made["key"]
    sts = accounts.client("sts", bob)
    asked = {"RoleArn": accounts.made["role"], "RoleSessionName": "bob"}
    with refused("AccessDenied", status=403):
        sts.assume_role(**asked)
    made = sts.assume_role(**asked, ExternalId="shared-project")["Credentials"]
    role = accounts.client(
        "kms",
        {
            "access_key_id": made["AccessKeyId"],
            "secret_access_key": made["SecretAccessKey"],
        },
        made["SessionToken"],
    )
    encrypting = accounts.client("kms", bob)
    context = {**FINANCE, "Year": "2026"}
    box = encrypting.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)
    found = role.decrypt(CiphertextBlob=box["CiphertextBlob"], EncryptionContext=context)
    assert found["Plaintext"] == b"x"
    other = encrypting.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"Department": "HR"})
    with refused("AccessDeniedException"):
        role.decrypt(CiphertextBlob=other["CiphertextBlob"], EncryptionContext={"Department": "HR"})
    with refused("AccessDeniedException"):
        role.encrypt(KeyId=key, Plaintext=b"x")


def test_each_account_sees_its_own(accounts):
    partner = accounts.client("kms", accounts.partner)
    assert partner.list_keys()["Keys"] == []
    users = accounts.client("iam", accounts.partner).list_users()["Users"]
    assert [user["UserName"] for user in users] == ["bob"]
