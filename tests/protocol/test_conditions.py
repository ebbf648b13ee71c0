"""Conditions of key policies, over the wire: what the request's values do."""

import json

import pytest
from botocore.exceptions import ClientError


def policy(account, condition, action="kms:*"):
    root = f"arn:aws:iam::{account}:root"
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"},
                {
                    "Sid": "tested",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": action,
                    "Resource": "*",
                    "Condition": condition,
                },
            ],
        }
    )


ROOT = "arn:aws:iam::{account}:root"


def owner_of(kms, key):
    """Return the account of a key."""
    return kms.describe_key(KeyId=key)["KeyMetadata"]["AWSAccountId"]


DENIED = {
    "another context": (
        {"StringNotEquals": {"kms:EncryptionContext:team": "red"}},
        "kms:Encrypt",
        lambda kms, key: kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"team": "blue"}),
        lambda kms, key: kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"team": "red"}),
    ),
    "a grant not for a service": (
        {"Bool": {"kms:GrantIsForAWSResource": "false"}},
        "kms:CreateGrant",
        lambda kms, key: kms.create_grant(
            KeyId=key, GranteePrincipal=owner_of(kms, key), Operations=["Decrypt"]
        ),
        lambda kms, key: kms.list_grants(KeyId=key),
    ),
    "a grant of too much": (
        {"ForAnyValue:StringEquals": {"kms:GrantOperations": ["Encrypt"]}},
        "kms:CreateGrant",
        lambda kms, key: kms.create_grant(
            KeyId=key, GranteePrincipal=owner_of(kms, key), Operations=["Decrypt", "Encrypt"]
        ),
        lambda kms, key: kms.create_grant(
            KeyId=key, GranteePrincipal=owner_of(kms, key), Operations=["Decrypt"]
        ),
    ),
    "a short window": (
        {"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "14"}},
        "kms:ScheduleKeyDeletion",
        lambda kms, key: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7),
        lambda kms, key: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=14),
    ),
    "a key that was used lately": (
        {"NumericLessThan": {"kms:TrailingDaysWithoutKeyUsage": "30"}},
        "kms:DisableKey",
        lambda kms, key: kms.disable_key(KeyId=key),
        lambda kms, key: kms.describe_key(KeyId=key),
    ),
    "a tag that guards": (
        {"StringEquals": {"aws:ResourceTag/guard": "on"}},
        "kms:Encrypt",
        lambda kms, key: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda kms, key: kms.untag_resource(KeyId=key, TagKeys=["guard"]),
    ),
}


@pytest.mark.parametrize("case", DENIED, ids=lambda case: case.replace(" ", "_"))
def test_a_deny_holds_for_what_it_names_and_nothing_else(kms, server, case):
    condition, action, denied, allowed = DENIED[case]
    key = kms.create_key(Tags=[{"TagKey": "guard", "TagValue": "on"}])["KeyMetadata"]["Arn"]
    kms.put_key_policy(KeyId=key, Policy=policy(server.account, condition, action))
    with pytest.raises(ClientError) as refused:
        denied(kms, key)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "with an explicit deny in a resource-based policy" in str(refused.value)
    allowed(kms, key)


def test_why_tells_the_whole_decision(kms, server):
    import time

    import serving

    key = kms.create_key()["KeyMetadata"]["Arn"]
    condition = {"StringEquals": {"kms:EncryptionContext:team": "blue"}}
    kms.put_key_policy(KeyId=key, Policy=policy(server.account, condition, "kms:Encrypt"))
    with pytest.raises(ClientError) as refused:
        kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"team": "blue"})
    request_id = refused.value.response["ResponseMetadata"]["RequestId"]
    deadline = time.monotonic() + 10
    while True:  # denials are written once a second
        told = serving.run("why", request_id, "--data", server.data, "--output", "json")
        if told.returncode == 0 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    denial = json.loads(told.stdout)
    assert denial["action"] == "kms:Encrypt"
    assert "tested" in denial["suggestion"]
    statements = {s["statement"]: s for s in denial["policies"][0]["statements"]}
    assert statements["tested"]["applies"]
    assert statements["number 1"]["effect"] == "Allow"
