"""Several people, their keys and a locked key: everything by the command and over the wire."""

import json
import os
import stat

import pytest
from botocore.exceptions import ClientError

import serving
from serving import eventually, run

NAMES = ("alice", "bob", "carol")
LOCKED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::{account}:root"},
            "Action": "kms:DescribeKey",
            "Resource": "*",
        }
    ],
}


def policy(account, action):
    text = json.dumps(LOCKED).replace("{account}", account)
    return text.replace("kms:DescribeKey", action)


@pytest.fixture(scope="module")
def server():
    with serving.served("--set", "approvals.refusal_hours=0") as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


def command(server, *words, check=True):
    done = run(*words, "--data", server.data, "--output", "json", check=check)
    return json.loads(done.stdout) if check else done


@pytest.fixture(scope="module")
def keys(folder):
    """The operators as the command takes them; each has made a key file by the command."""
    for name in NAMES:
        public = run("operator", "key", folder / f"{name}.key", check=True).stdout.strip()
        assert (folder / f"{name}.key.pub").read_text().strip() == public
        assert stat.S_IMODE((folder / f"{name}.key").stat().st_mode) == 0o600
    return [f"{name}={folder / name}.key.pub" for name in NAMES]


@pytest.fixture(scope="module")
def operators(server, keys):
    """Three operators, of whom two must approve."""
    refused = run("operator", "add", *keys, "--data", server.data)
    assert "give --quorum" in refused.stderr
    added = command(server, "operator", "add", *keys, "--quorum", "2")
    assert [one["operator_name"] for one in added["operators"]] == list(NAMES)
    return added


def sign(server, folder, request, name, decision="approve", key=None, check=True):
    key_file = folder / f"{key or name}.key"
    words = ("--operator", name, "--key", key_file, "--yes")
    return command(server, "approval", decision, request, *words, check=check)


def approved(server, folder, made):
    for name in ("alice", "carol"):
        sign(server, folder, made["request_id"], name)
    return command(server, "approval", "execute", made["request_id"])


def test_a_key_file_is_not_written_over(folder, operators):
    before = (folder / "alice.key").read_bytes()
    again = run("operator", "key", folder / "alice.key")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert (folder / "alice.key").read_bytes() == before


def test_a_locked_key_of_another_account_is_opened_by_two_of_three(server, folder, operators):
    made = server.client("kagimori").create_account()
    account, access = made["Account"]["AccountId"], made["AccessKey"]
    owner = {"access_key": access["AccessKeyId"], "secret": access["SecretAccessKey"]}
    kms = server.client("kms", **owner)
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.put_key_policy(
        KeyId=arn,
        Policy=policy(account, "kms:DescribeKey"),
        BypassPolicyLockoutSafetyCheck=True,
    )
    opening = folder / "opening.json"
    opening.write_text(policy(account, "kms:*"))
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.put_key_policy(KeyId=arn, Policy=opening.read_text())

    words = ("approval", "break-glass", arn, "--policy", opening, "--reason", "locked out")
    asked = command(server, *words)
    assert (asked["action"], asked["resource"]) == ("ReplaceKeyPolicy", arn)
    early = command(server, "approval", "execute", asked["request_id"], check=False)
    assert (early.returncode, early.stderr) == (
        1,
        "kagimori: 0 of 2 operators have approved the request.\n",
    )
    wrong = sign(server, folder, asked["request_id"], "bob", key="alice", check=False)
    assert "is not the key of bob" in wrong.stderr
    assert approved(server, folder, asked)["state"] == "EXECUTED"
    kms.put_key_policy(KeyId=arn, Policy=opening.read_text())
    again = command(server, "approval", "execute", asked["request_id"], check=False)
    assert again.stderr == f"kagimori: The request {asked['request_id']} is executed.\n"

    # Recorded in the key's account, too, in CloudTrail's form.
    trail = server.client("cloudtrail", **owner)
    looked_for = [{"AttributeKey": "EventName", "AttributeValue": "ExecuteApproval"}]

    def found():
        return trail.lookup_events(LookupAttributes=looked_for)["Events"]

    eventually(lambda: performed(found()))
    (event,) = performed(found())
    assert event["recipientAccountId"] == account
    assert [one["ARN"] for one in event["resources"]] == [arn]
    approval = event["responseElements"]["approval"]
    assert [one["operatorName"] for one in approval["approvals"]] == ["alice", "carol"]
    assert approval["document"] == opening.read_text()


def performed(events):
    every = [json.loads(one["CloudTrailEvent"]) for one in events]
    return [event for event in every if "errorCode" not in event]


def test_one_refusal_is_enough(server, folder, operators):
    made = command(server, "hsm", "zeroize", "--reason", "a drill")
    for name in NAMES[:2]:
        sign(server, folder, made["request_id"], name)
    assert sign(server, folder, made["request_id"], "carol", "refuse")["state"] == "REFUSED"
    done = command(server, "approval", "execute", made["request_id"], check=False)
    assert "is refused" in done.stderr
    assert server.client().list_keys()


def test_operators_are_changed_by_operators(server, folder, operators):
    run("operator", "key", folder / "dave.key", check=True)
    dave = f"dave={folder / 'dave.key.pub'}"
    without = run("operator", "add", dave, "--data", server.data)
    assert "--reason" in without.stderr
    made = command(server, "operator", "add", dave, "--reason", "joins")
    approved(server, folder, made)
    known = command(server, "operator", "list")
    assert [one["operator_name"] for one in known["operators"]] == [*NAMES, "dave"]
    approved(server, folder, command(server, "operator", "remove", "dave", "--reason", "leaves"))
    assert len(command(server, "operator", "list")["operators"]) == 3
    listed = command(server, "approval", "list")
    assert [one["request_id"] for one in listed] == sorted(one["request_id"] for one in listed)
    text = run("approval", "show", made["request_id"], "--data", server.data, check=True).stdout
    assert "operator.dave" in text
    assert "Approved by       alice" in text


def test_a_domain_key_is_destroyed_by_hand_and_everything_stored_goes_on(server, folder, operators):
    kms, admin = server.client(), server.client("kagimori")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    before = domain_keys(admin)
    admin.rotate_domain_key(DomainName=server.region)
    (old,) = [one for one in domain_keys(admin, "RETIRED") if one in before]
    made = command(server, "domain", "destroy", old, "--reason", "was seen")
    approved(server, folder, made)
    eventually(lambda: old not in domain_keys(admin), 30)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    kms.create_key()


def test_a_seal_is_removed_by_operators(server, folder, operators):
    before = command(server, "seal", "list")["seals"]
    run("seal", "add", "file", "--data", server.data, check=True)

    def further():
        ids = {one["seal_id"] for one in command(server, "seal", "list")["seals"]}
        return ids - {one["seal_id"] for one in before}

    eventually(further)
    (spare,) = further()
    without = run("seal", "remove", spare, "--data", server.data)
    assert "--reason" in without.stderr
    approved(server, folder, command(server, "seal", "remove", spare, "--reason", "not needed"))
    eventually(lambda: not further())
    server.client().create_key()


def domain_keys(admin, state=None):
    return [
        key["DomainKeyId"]
        for one in admin.get_domain_status()["Domains"]
        for key in one["Keys"]
        if state in (None, key["State"])
    ]


def test_a_restart_keeps_the_operators_and_zeroizing_ends_every_use_of_keys(folder, keys):
    with serving.served("--set", "approvals.refusal_hours=0") as server:
        command(server, "operator", "add", *keys, "--quorum", "2")
        os.kill(server.pids["hsm"], 9)
        eventually(lambda: server.pids.get("hsm") and answers(server), 30)
        assert len(command(server, "operator", "list")["operators"]) == 3
        with pytest.raises(ClientError, match="ApprovalRequired"):
            server.client("kagimori").zeroize_hsm()
        approved(server, folder, command(server, "hsm", "zeroize", "--reason", "the end"))
        eventually(lambda: not answers(server), 30)
        assert "zeroized" in run("hsm", "status", "--data", server.data).stdout
        assert server.stop() == 0


def answers(server):
    try:
        server.client().generate_random(NumberOfBytes=1)
    except ClientError:
        return False
    return True
