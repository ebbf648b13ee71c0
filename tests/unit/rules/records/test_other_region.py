"""Events that the trail of another region has too: a replica's CreateKey, a move of the primary."""

import json

import pytest

from kagimori.operations.registry import OPERATIONS
from kagimori.rules.records.copies import copy_in_other_region
from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.progress import Progress
from kagimori.rules.records.record import record_of
from kagimori.rules.refusal import DisabledException
from kit.hsm import reply_to
from kit.trial import ACCOUNT, RAW, REGION, Trial

THERE = "eu-west-1"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": ACCOUNT},
            "Action": "kms:*",
            "Resource": "*",
        },
    }
)


@pytest.fixture
def trial():
    return Trial()


@pytest.fixture
def key(trial):
    return trial.call("CreateKey", reply_to, MultiRegion=True).answer["KeyMetadata"]


def recorded(trial, name, ending=None, **given):
    """Return the record of a call, and its entry."""
    asked = trial.asked(name, **given)
    tried = trial.call(name, reply_to, **given)
    resources = tried.facts.resources
    call, caller = asked.call, asked.caller
    read_only = OPERATIONS["kms", name].read_only
    who = caller.access_key_id
    progress = Progress(RAW, {}, "kms", name, REGION, who, read_only, caller, call, resources)
    record = record_of(progress, ending or tried.outcome, trial.draw(), trial.now)
    return record, decode_entry(record)


def test_a_replica_was_created_where_it_is(trial, key):
    given = {"KeyId": key["KeyId"], "ReplicaRegion": THERE, "Description": "d", "Policy": POLICY}
    record, entry = recorded(trial, "ReplicateKey", **given)
    assert (entry.aws_region, entry.other_region) == (REGION, THERE)
    copy = json.loads(copy_in_other_region(record, THERE))
    arn = key["Arn"].replace(REGION, THERE)
    assert (copy["eventName"], copy["awsRegion"]) == ("CreateKey", THERE)
    assert copy["requestParameters"] == {
        "policy": POLICY,
        "description": "d",
        "bypassPolicyLockoutSafetyCheck": False,
        "keySpec": "SYMMETRIC_DEFAULT",
        "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "keyUsage": "ENCRYPT_DECRYPT",
        "origin": "AWS_KMS",
        "multiRegion": True,
    }
    assert copy["responseElements"]["keyMetadata"]["arn"] == arn
    assert copy["resources"] == [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn}]
    original = json.loads(record)
    assert copy["eventID"] != original["eventID"]
    same = ("requestID", "userIdentity", "eventTime", "readOnly", "recipientAccountId")
    assert [copy[name] for name in same] == [original[name] for name in same]
    assert set(copy) == set(original)


def test_a_move_of_the_primary_is_recorded_on_both_sides(trial, key):
    trial.call("ReplicateKey", reply_to, KeyId=key["KeyId"], ReplicaRegion=THERE)
    given = {"KeyId": key["KeyId"], "PrimaryRegion": THERE}
    record, entry = recorded(trial, "UpdatePrimaryRegion", **given)
    assert entry.other_region == THERE
    copy = json.loads(copy_in_other_region(record, THERE))
    arn = key["Arn"].replace(REGION, THERE)
    assert (copy["eventName"], copy["awsRegion"]) == ("UpdatePrimaryRegion", THERE)
    assert copy["responseElements"] == {"keyId": arn}
    assert [one["ARN"] for one in copy["resources"]] == [arn]


def test_no_other_region_has_what_did_not_happen_there(trial, key):
    stays = {"KeyId": key["KeyId"], "PrimaryRegion": REGION}
    assert recorded(trial, "UpdatePrimaryRegion", **stays)[1].other_region == ""
    assert recorded(trial, "DescribeKey", KeyId=key["KeyId"])[1].other_region == ""
    given = {"KeyId": key["KeyId"], "ReplicaRegion": THERE}
    refused = DisabledException("disabled")
    assert recorded(trial, "ReplicateKey", refused, **given)[1].other_region == ""
