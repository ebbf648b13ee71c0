"""Policies and values that are dear to weigh: denied and recorded, and nobody else waits."""

import json

import pytest
from botocore.exceptions import ClientError

AGENT = "a" * 8_000


def dear_policy(account, operands):
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    allow = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    condition = {"StringNotLike": {"aws:UserAgent": operands}}
    deny = {**allow, "Effect": "Deny", "Action": "kms:DescribeKey", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]}, separators=(",", ":"))


def test_a_key_policy_that_costs_too_much_denies_and_is_recorded(server, kms):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    text = dear_policy(server.account, [f"*?{n:04}*" for n in range(2_700)] + ["*"])
    assert 26_000 < len(text) < 32_768
    kms.put_key_policy(KeyId=key, Policy=text)
    assert kms.describe_key(KeyId=key)  # with a User-Agent as they are
    slow = server.client(user_agent=AGENT)
    with pytest.raises(ClientError) as refused:
        slow.describe_key(KeyId=key)
    slow.close()
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "take too long to evaluate" in refused.value.response["Error"]["Message"]
    request_id = refused.value.response["ResponseMetadata"]["RequestId"]
    records = [
        json.loads(line)["record"]
        for file in (server.data / "audit").glob("*-w*/*.jsonl")
        for line in file.read_text().splitlines()
        if request_id in line
    ]
    assert [one["errorCode"] for one in records] == ["AccessDenied"]
    assert "take too long" in records[0]["errorMessage"]


def test_a_longer_user_agent_than_conditions_look_at_is_denied(server, kms):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.put_key_policy(KeyId=key, Policy=dear_policy(server.account, ["*"]))
    assert kms.describe_key(KeyId=key)
    long = server.client(user_agent="a" * 8_193)
    with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
        long.describe_key(KeyId=key)
    long.close()


def test_a_long_session_policy_is_refused_before_it_is_read(server):
    sts = server.client("sts")
    for text in ("${" + " " * 32_000, json.dumps({"Version": "2012-10-17", "a": "x" * 900_000})):
        with pytest.raises(ClientError) as refused:
            sts.assume_role(
                RoleArn=f"arn:aws:iam::{server.account}:role/none",
                RoleSessionName="alice",
                Policy=text,
            )
        assert refused.value.response["Error"]["Code"] == "PackedPolicyTooLarge"


def test_a_simulation_that_costs_too_much_is_refused(server):
    iam = server.client("iam")
    condition = {"StringLike": {"aws:UserAgent": [f"*?{n:04}*" for n in range(8_000)]}}
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    with pytest.raises(ClientError, match="take too long to evaluate") as refused:
        iam.simulate_custom_policy(
            PolicyInputList=[json.dumps({"Version": "2012-10-17", "Statement": statement})],
            ActionNames=["kms:Encrypt"],
            ContextEntries=[
                {
                    "ContextKeyName": "aws:UserAgent",
                    "ContextKeyValues": ["a" * 8_192],
                    "ContextKeyType": "string",
                }
            ],
        )
    assert refused.value.response["Error"]["Code"] == "InvalidInput"
