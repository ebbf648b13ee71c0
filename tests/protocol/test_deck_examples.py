"""The grants that the deck shows: by encryption context, and for a volume that is attached.

Reference: 10.2, 10.5 and 20; the deck, rows 17 to 19.
"""

import json

import boto3
import pytest

import serving
from serving import refused

CRITICAL = {"Department": "Finance", "classification": "critical"}


class Cast:
    """A key's owner, and users and roles that nothing but grants lets in."""

    def __init__(self, server):
        self.server, self.account = server, server.account
        self.iam, self.kms = server.client("iam"), server.client()
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]

    def client(self, service, made):
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name="us-east-1",
            aws_access_key_id=made["AccessKeyId"],
            aws_secret_access_key=made["SecretAccessKey"],
            aws_session_token=made.get("SessionToken"),
        )

    def user(self, name):
        arn = self.iam.create_user(UserName=name)["User"]["Arn"]
        made = self.iam.create_access_key(UserName=name)["AccessKey"]
        return arn, self.client("kms", made)

    def instance(self, name):
        """A role, and the KMS client of a session of it, as an instance has one."""
        trusted = f"launcher-of-{name}"
        arn = self.iam.create_user(UserName=trusted)["User"]["Arn"]
        made = self.iam.create_access_key(UserName=trusted)["AccessKey"]
        statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
        session = self.client("sts", made).assume_role(
            RoleArn=role["Arn"], RoleSessionName="i-0abc"
        )
        return role["Arn"], self.client("kms", session["Credentials"])

    def box(self, **context):
        """Return a ciphertext of the owner's under a context."""
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"secret", EncryptionContext=context)
        return {"CiphertextBlob": blob["CiphertextBlob"], "EncryptionContext": context}


@pytest.fixture(scope="module")
def cast():
    with serving.served() as server:
        yield Cast(server)


def test_equals_takes_this_context_and_no_other(cast):
    arn, alice = cast.user("alice")
    grant = cast.kms.create_grant(
        KeyId=cast.key,
        GranteePrincipal=arn,
        Operations=["Decrypt"],
        Constraints={"EncryptionContextEquals": CRITICAL},
    )
    assert alice.decrypt(**cast.box(**CRITICAL))["Plaintext"] == b"secret"
    for context in (
        {"Department": "Finance"},
        {**CRITICAL, "customer": "bob"},
        {**CRITICAL, "classification": "Critical"},
        {},
    ):
        with refused("AccessDeniedException"):
            alice.decrypt(**cast.box(**context))
    cast.kms.revoke_grant(KeyId=cast.key, GrantId=grant["GrantId"])
    with refused("AccessDeniedException"):
        alice.decrypt(**cast.box(**CRITICAL))


def test_subset_takes_every_context_that_holds_it(cast):
    arn, bob = cast.user("bob")
    cast.kms.create_grant(
        KeyId=cast.key,
        GranteePrincipal=arn,
        Operations=["Decrypt", "GenerateDataKey"],
        Constraints={"EncryptionContextSubset": {"Department": "Finance"}},
    )
    for context in (CRITICAL, {"Department": "Finance"}, {**CRITICAL, "customer": "alice"}):
        assert bob.decrypt(**cast.box(**context))["Plaintext"] == b"secret"
    made = bob.generate_data_key(KeyId=cast.key, KeySpec="AES_256", EncryptionContext=CRITICAL)
    assert len(made["Plaintext"]) == 32
    for context in ({"Department": "HR"}, {"department": "Finance"}, {}):
        with refused("AccessDeniedException"):
            bob.decrypt(**cast.box(**context))
    with refused("AccessDeniedException"):
        bob.encrypt(KeyId=cast.key, Plaintext=b"x", EncryptionContext=CRITICAL)


def test_a_volume_is_attached(cast):
    """The volume's key is made without plaintext; the instance alone may open it, as that volume."""
    volume = {"aws:ebs:id": "vol-0123456789abcdef0"}
    made = cast.kms.generate_data_key_without_plaintext(
        KeyId=cast.key, NumberOfBytes=64, EncryptionContext=volume
    )
    role, instance = cast.instance("web-server")
    _, other = cast.instance("other-server")
    token = cast.kms.create_grant(
        KeyId=cast.key,
        GranteePrincipal=role,
        Operations=["Decrypt"],
        Constraints={"EncryptionContextSubset": volume},
    )["GrantToken"]
    blob = made["CiphertextBlob"]
    opened = instance.decrypt(CiphertextBlob=blob, EncryptionContext=volume, GrantTokens=[token])
    assert len(opened["Plaintext"]) == 64
    with refused("AccessDeniedException"):
        other.decrypt(CiphertextBlob=blob, EncryptionContext=volume, GrantTokens=[token])
    snapshot = cast.box(**{"aws:ebs:id": "vol-0fedcba9876543210"})
    with refused("AccessDeniedException"):
        instance.decrypt(**snapshot, GrantTokens=[token])
    with refused("AccessDeniedException"):
        instance.create_grant(KeyId=cast.key, GranteePrincipal=role, Operations=["Decrypt"])
    cast.kms.retire_grant(GrantToken=token)  # detached
    with refused("AccessDeniedException"):
        instance.decrypt(CiphertextBlob=blob, EncryptionContext=volume)
