"""Kinds of requests: whose they are, which are billed, and at which price."""

import json

import pytest

from kagimori.rules.metering.request_kinds import (
    ASYMMETRIC,
    PAIRS_ECC,
    PAIRS_RSA,
    RSA_2048,
    STANDARD,
    UNREADABLE,
    alike,
    class_of,
    is_billed,
    kind_of,
)
from kagimori.rules.records.entry import decode_entry

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/one"
OTHER_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/two"


def entry(**more):
    return decode_entry(
        json.dumps(
            {
                "eventID": "e",
                "eventTime": "1970-01-02T01:59:59Z",
                "eventName": "Encrypt",
                "eventSource": "kms.amazonaws.com",
                "eventType": "AwsApiCall",
                "awsRegion": "us-east-1",
                "recipientAccountId": ACCOUNT,
                "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice"},
                "resources": [{"ARN": KEY, "accountId": ACCOUNT, "type": "AWS::KMS::Key"}],
                **more,
            }
        )
    )


def varied():
    """Yield records of which each differs from all others in one thing that is counted."""
    yield {}
    yield {"eventTime": "1970-01-02T02:00:00Z"}
    yield {"eventTime": "1970-01-02T01"}
    yield {"recipientAccountId": ""}
    yield {"awsRegion": "eu-west-1"}
    yield {"eventSource": "iam.amazonaws.com"}
    yield {"eventName": "Decrypt"}
    yield {"resources": []}
    yield {"resources": [{"ARN": OTHER_KEY}]}
    yield {"resources": [{"ARN": KEY}, {"ARN": OTHER_KEY}]}
    yield {"userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/bob"}}
    yield {"userIdentity": {"type": "AWSService", "invokedBy": "s3.amazonaws.com"}}
    yield {"userIdentity": {"type": "WebIdentityUser", "principalId": "someone"}}
    for role in ("web", "jobs"):
        issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
        yield {"userIdentity": {"arn": "session", "sessionContext": {"sessionIssuer": issuer}}}
    yield {"errorCode": "AccessDenied"}
    yield {"requestParameters": {"keyPairSpec": "RSA_2048"}}
    yield {"eventType": "AwsServiceEvent"}


def test_what_is_counted_together_is_of_one_kind():
    entries = [entry(**one) for one in varied()]
    assert len({kind_of(one) for one in entries}) == len(entries)
    assert len({alike(one) for one in entries}) == len(entries)
    assert alike(entry(eventTime="1970-01-02T01:00:00Z")) == alike(entries[0])


def test_a_request_is_of_its_hour_account_key_and_principal():
    kind = kind_of(entry())
    assert (kind.hour, kind.account_id, kind.region, kind.service) == (
        25,
        ACCOUNT,
        "us-east-1",
        "kms",
    )
    assert (kind.operation, kind.key_arn, kind.other_key_arn) == ("Encrypt", KEY, "")
    assert kind.principal == f"arn:aws:iam::{ACCOUNT}:user/alice"


def test_both_keys_of_a_reencrypt_are_kept_and_one_key_is_kept_once():
    two = [{"ARN": KEY}, {"ARN": OTHER_KEY}]
    assert kind_of(entry(resources=two)).other_key_arn == OTHER_KEY
    assert kind_of(entry(resources=[two[0], two[0]])).other_key_arn == ""


def test_sessions_of_a_role_are_the_role():
    role = f"arn:aws:iam::{ACCOUNT}:role/web"
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/web/bob",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role}},
    }
    assert kind_of(entry(userIdentity=identity)).principal == role


def test_services_are_principals_by_name():
    identity = {"type": "AWSService", "invokedBy": "s3.amazonaws.com"}
    assert kind_of(entry(userIdentity=identity)).principal == "s3.amazonaws.com"


def test_nothing_is_kept_of_what_somebody_unidentified_says():
    kind = kind_of(
        entry(recipientAccountId="", eventName="X" * 99, awsRegion="here", errorCode="Invalid")
    )
    assert kind == (25, "", "", "", "", "", "", "", "Invalid", "")


def test_events_of_the_service_itself_are_no_requests():
    assert kind_of(entry(eventType="AwsServiceEvent")) is None


@pytest.mark.parametrize("time", ["", "yesterday", "1970-01-02 01:59:59"])
def test_what_cannot_be_read_is_counted_apart(time):
    assert kind_of(entry(eventTime=time)) == UNREADABLE
    assert kind_of(None) == UNREADABLE


@pytest.mark.parametrize(
    ("service", "account", "error", "billed"),
    [
        ("kms", ACCOUNT, "", True),
        ("kms", ACCOUNT, "AccessDenied", True),
        ("kms", ACCOUNT, "DisabledException", True),
        ("kms", ACCOUNT, "DryRunOperationException", True),
        ("kms", ACCOUNT, "ThrottlingException", False),
        ("kms", ACCOUNT, "KMSInternalException", False),
        ("kms", "", "IncompleteSignature", False),
        ("iam", ACCOUNT, "", False),
        ("sts", ACCOUNT, "", False),
        ("kagimori", ACCOUNT, "", False),
    ],
)
def test_which_requests_are_billed(service, account, error, billed):
    assert is_billed(service, account, error) is billed


@pytest.mark.parametrize(
    ("operation", "specs", "pair", "price"),
    [
        ("Encrypt", ("SYMMETRIC_DEFAULT",), "", STANDARD),
        ("GenerateMac", ("HMAC_256",), "", STANDARD),
        ("CreateKey", ("ECC_NIST_P256",), "", STANDARD),
        ("DescribeKey", ("RSA_4096",), "", STANDARD),
        ("Sign", ("RSA_2048",), "", RSA_2048),
        ("Sign", ("RSA_3072",), "", ASYMMETRIC),
        ("Verify", ("ML_DSA_44",), "", ASYMMETRIC),
        ("GetPublicKey", ("ECC_NIST_P256",), "", ASYMMETRIC),
        ("ReEncrypt", ("SYMMETRIC_DEFAULT", "RSA_2048"), "", RSA_2048),
        ("ReEncrypt", ("RSA_2048", "RSA_4096"), "", ASYMMETRIC),
        ("GenerateDataKeyPair", ("SYMMETRIC_DEFAULT",), "RSA_2048", PAIRS_RSA),
        ("GenerateDataKeyPairWithoutPlaintext", (), "ECC_NIST_P256", PAIRS_ECC),
        ("Decrypt", (), "", STANDARD),
    ],
)
def test_the_class_of_a_request_is_by_operation_and_keys(operation, specs, pair, price):
    assert class_of(operation, specs, pair) == price
