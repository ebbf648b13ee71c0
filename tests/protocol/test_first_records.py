"""What is changed without a server is told in the journal once one starts, in order."""

import json

import pytest

import serving
from kagimori.rules.chain.chain import read_line
from serving import eventually, run

KEY_ID = "11111111-2222-3333-4444-555555555555"
SEED = f"""
Keys:
  Symmetric:
    Aes:
      - Metadata: {{KeyId: {KEY_ID}}}
        BackingKeys: ["{"ab" * 32}"]
"""


@pytest.fixture
def folder():
    with serving.temporary_folder() as made:
        yield made


def journalled(data):
    """The records that the command line's own journal has."""
    found = []
    for file in sorted(serving.stream(data, "admin").glob("*.jsonl")):
        found += [json.loads(read_line(line)[2]) for line in file.read_bytes().splitlines()]
    return found


def test_the_first_records_of_a_deployment_tell_of_init(folder):
    made = serving.init(folder / "d", "--region", "eu-central-1")
    pem = run("audit", "public-key", "--data", folder / "d", check=True).stdout
    with serving.served(data=folder / "d"):
        created, account, audit_key, streams = journalled(folder / "d")
    assert [record["eventName"] for record in (created, account, audit_key)] == [
        "CreateDeployment",
        "CreateAccountResult",
        "CreateAuditKey",
    ]
    assert created["serviceEventDetails"] == {
        "operatorAccountId": made["account_id"],
        "regions": ["eu-central-1"],
    }
    assert account["serviceEventDetails"] == {
        "createAccountStatus": {"accountId": made["account_id"], "state": "SUCCEEDED"},
        "rootAccessKeyId": made["access_key_id"],
    }
    assert len(audit_key["serviceEventDetails"]["publicKeyFingerprint"]) == 64
    assert pem.startswith("-----BEGIN PUBLIC KEY-----")
    assert streams["eventName"] == "RegisterStreams"
    node = (folder / "d" / "node-id").read_text().strip()
    assert streams["serviceEventDetails"] == {
        "node": node,
        "streams": [f"{node}-admin", f"{node}-w0"],
        "closed": [],
        "signs": True,
    }
    for record in (created, account, audit_key, streams):
        assert record["recipientAccountId"] == made["account_id"]
        assert record["awsRegion"] == "eu-central-1"
        assert record["eventType"] == "AwsServiceEvent"


def test_every_change_from_the_command_line_is_recorded_in_order(folder):
    serving.init(folder / "d")
    data = ("--data", folder / "d", "--output", "json")
    second = json.loads(run("account", "create", *data, check=True).stdout)
    key = json.loads(run("service", "create", "s3", *data, check=True).stdout)
    run("service", "delete", key["access_key_id"], "--data", folder / "d", check=True)
    with serving.served(data=folder / "d"):
        *told, streams = journalled(folder / "d")[3:]
    assert streams["eventName"] == "RegisterStreams"
    assert [record["eventName"] for record in told] == [
        "CreateAccountResult",
        "CreateServiceAccessKey",
        "DeleteServiceAccessKey",
    ]
    assert told[0]["serviceEventDetails"]["rootAccessKeyId"] == second["access_key_id"]
    for record in told[1:]:
        assert record["serviceEventDetails"]["accessKeyId"] == key["access_key_id"]
    secrets = (second["secret_access_key"], key["secret_access_key"])
    assert not any(secret in json.dumps(record) for record in told for secret in secrets)


def test_the_keys_of_a_seed_are_recorded(folder):
    (folder / "seed.yaml").write_text(SEED)
    with serving.dev_served("--seed", folder / "seed.yaml") as server:
        wanted = [{"AttributeKey": "EventName", "AttributeValue": "SeedKeys"}]
        trail = server.client("cloudtrail")
        eventually(lambda: trail.lookup_events(LookupAttributes=wanted)["Events"])
        (event,) = trail.lookup_events(LookupAttributes=wanted)["Events"]
    arn = f"arn:aws:kms:us-east-1:000000000000:key/{KEY_ID}"
    assert [found["ResourceName"] for found in event["Resources"]] == [arn]
