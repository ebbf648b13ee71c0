"""`kagimori evidence` against a server: by root, by an auditor with little access, and by nobody."""

import json

import pytest

import serving
from serving import run

HOSTILE = "<script>alert(1)</script>"
READER = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["kms:List*", "kms:Describe*", "iam:List*"], "Resource": "*"}
    ],
}


@pytest.fixture(scope="module")
def server():
    with serving.served() as made:
        yield made


@pytest.fixture(scope="module")
def key(server):
    """A key with hostile text, which a user of the account administers by an IAM policy."""
    kms, iam = server.client(), server.client("iam")
    made = kms.create_key(Description=HOSTILE)["KeyMetadata"]
    statement = {"Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": made["Arn"]}
    keeper = {"Version": "2012-10-17", "Statement": [statement]}
    for name, policy in (("keeper", keeper), ("auditor", READER)):
        iam.create_user(UserName=name)
        text = json.dumps(policy)
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=text)
    return made


def test_root_reads_everything(server, key, tmp_path):
    out = tmp_path / "a" / "evidence"
    done = run("evidence", "--out", out, "--data", server.data)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((out / "evidence.json").read_text())
    assert report["not_read"] == []
    assert report["asked_by"].endswith(":root")
    facts = report["facts"]
    assert facts["hsm"]["state"] == "OPERATIONAL"
    assert facts["audit_trail"]["streams"]
    assert key["Arn"] in facts["keys"]["summary"]["without_automatic_rotation"]
    (keeper,) = facts["administrators"][key["Arn"]]
    assert keeper.endswith(":user/keeper")
    assert facts["administrators"][key["Arn"]][keeper] == ["kms:PutKeyPolicy"]
    assert facts["identities"]["root"] == {"mfa": False, "access_keys": True}
    text = (out / "evidence.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert (out / "evidence.json").stat().st_mode & 0o077 == 0


def test_a_report_of_little_access_names_what_is_missing(server, key, tmp_path):
    made = server.client("iam").create_access_key(UserName="auditor")["AccessKey"]
    secrets = {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_REGION": server.region,
    }
    done = run("evidence", "--out", tmp_path, "--endpoint", server.url, **secrets)
    assert done.returncode == 0, done.stderr
    assert "could not be read" in done.stdout
    text = (tmp_path / "evidence.json").read_text()
    report = json.loads(text)
    missing = {one["operation"] for one in report["not_read"]}
    assert {"kagimori:GetStatus", "kms:GetKeyPolicy", "iam:GetAccountSummary"} <= missing
    assert report["facts"]["server"] is None
    assert [one["arn"] for one in report["facts"]["keys"]["list"]] == [key["Arn"]]
    assert made["SecretAccessKey"] not in text


def test_who_is_nobody_gets_one_line(server, tmp_path):
    secrets = {"AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": "x"}
    done = run(
        "evidence", "--out", tmp_path, "--endpoint", server.url, **secrets, AWS_REGION="us-east-1"
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("evidence", "--out", tmp_path / "file" / "x", "--data", server.data)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
