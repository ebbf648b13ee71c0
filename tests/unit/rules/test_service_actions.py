"""What a service may ask of KMS for a caller, action by action of the service model."""

import pytest

from kagimori.front.models import ServiceModel
from kagimori.rules.identity.service_actions import may_ask_for_callers, may_grant_for_callers

ACCOUNT = "111122223333"
OPERATIONS = sorted(ServiceModel.load("kms").operations)
USES = {
    "CreateGrant",
    "Decrypt",
    "DeriveSharedSecret",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GetPublicKey",
    "ListGrants",
    "ReEncrypt",
    "RetireGrant",
    "RevokeGrant",
    "Sign",
    "Verify",
    "VerifyMac",
}


@pytest.mark.parametrize("service", ["s3", "ec2", "rds", "logs", "signer", "unheard-of"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_service_does_more_than_use_keys(service, operation):
    if may_ask_for_callers(service, operation):
        assert operation in USES


def test_what_storage_needs():
    for operation in ("GenerateDataKey", "Decrypt", "ReEncrypt", "DescribeKey", "CreateGrant"):
        assert may_ask_for_callers("s3", operation)
    assert not may_ask_for_callers("s3", "Sign")
    assert may_ask_for_callers("signer", "Sign")
    assert not may_ask_for_callers("sqs", "CreateGrant")


@pytest.mark.parametrize(
    ("grantee", "operations", "may"),
    [
        ("s3.amazonaws.com", ("Decrypt",), True),
        (None, ("Decrypt",), True),
        ("ec2.amazonaws.com", ("Decrypt",), False),
        (ACCOUNT, ("Decrypt",), True),
        (f"arn:aws:iam::{ACCOUNT}:user/alice", ("ReEncryptFrom", "ReEncryptTo"), True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b", ("CreateGrant",), True),
        ("arn:aws:iam::444455556666:user/bob", ("Decrypt",), False),
        ("444455556666", ("Decrypt",), False),
        (f"arn:aws:iam::444455556666:user/{ACCOUNT}", ("Decrypt",), False),
        (f"x:{ACCOUNT}", ("Decrypt",), False),
        (f"arn:aws:iam::{ACCOUNT}:user/alice", ("Decrypt", "Sign"), False),
    ],
)
def test_a_grant_for_a_caller(grantee, operations, may):
    assert may_grant_for_callers("s3", ACCOUNT, grantee, operations) is may
