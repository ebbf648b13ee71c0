"""Access keys, passwords, devices, providers and policies of IAM, step by step."""

import json

import pytest

from kagimori.rules.identity.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
)
from kagimori.rules.refusal import AccessDeniedException
from kagimori_boundary import commands
from kagimori_boundary.replies import Bytes, NewSecret
from kit.trial import ACCOUNT, Trial, allow

POLICY = json.dumps({"Version": "2012-10-17", "Statement": [allow("kms:Encrypt")]})
OTHER_POLICY = json.dumps({"Version": "2012-10-17", "Statement": [allow("kms:Decrypt")]})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
        },
    }
)
SECRET = NewSecret("wJalrXUtnFEMI", b"sealed")


@pytest.fixture
def trial():
    return Trial()


@pytest.fixture
def iam(trial):
    return lambda name, reply=None, **members: trial.call(name, reply, service="iam", **members)


@pytest.fixture
def alice(iam):
    iam("CreateUser", UserName="alice")
    return "alice"


def test_a_secret_is_told_once_and_a_user_has_two_keys_at_the_most(iam, alice):
    made = iam("CreateAccessKey", SECRET, UserName=alice)
    assert type(made.command) is commands.CreateSecretOnBehalf
    key = made.answer["AccessKey"]
    assert key["SecretAccessKey"] == "wJalrXUtnFEMI"
    assert "SecretAccessKey" not in str(made.outcome.response_elements)
    iam("CreateAccessKey", SECRET, UserName=alice)
    with pytest.raises(LimitExceeded):
        iam("CreateAccessKey", SECRET, UserName=alice)
    iam("UpdateAccessKey", UserName=alice, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    listed = iam("ListAccessKeys", UserName=alice).answer["AccessKeyMetadata"]
    assert sorted(one["Status"] for one in listed) == ["Active", "Inactive"]
    iam("DeleteAccessKey", UserName=alice, AccessKeyId=key["AccessKeyId"])
    assert len(iam("ListAccessKeys", UserName=alice).answer["AccessKeyMetadata"]) == 1


def test_a_password_goes_to_the_hsm_and_is_kept_sealed(iam, alice):
    made = iam("CreateLoginProfile", Bytes(b"sealed"), UserName=alice, Password="correct-horse-1")
    assert type(made.command) is commands.HashPassword
    with pytest.raises(EntityAlreadyExists):
        iam("CreateLoginProfile", UserName=alice, Password="correct-horse-1")
    assert iam("GetLoginProfile", UserName=alice).answer["LoginProfile"]["UserName"] == alice
    with pytest.raises(DeleteConflict):
        iam("DeleteUser", UserName=alice)
    iam("DeleteLoginProfile", UserName=alice)
    with pytest.raises(NoSuchEntity):
        iam("GetLoginProfile", UserName=alice)


@pytest.mark.parametrize(
    ("noun", "member", "made"),
    [
        ("User", "UserName", {}),
        ("Group", "GroupName", {}),
        ("Role", "RoleName", {"AssumeRolePolicyDocument": TRUST}),
    ],
)
def test_inline_policies_are_put_shown_and_deleted(iam, noun, member, made):
    named = {member: "one"}
    iam(f"Create{noun}", **named, **made)
    iam(f"Put{noun}Policy", **named, PolicyName="p", PolicyDocument=POLICY)
    iam(f"Put{noun}Policy", **named, PolicyName="p", PolicyDocument=OTHER_POLICY)
    assert iam(f"List{noun}Policies", **named).answer["PolicyNames"] == ["p"]
    shown = iam(f"Get{noun}Policy", **named, PolicyName="p").answer["PolicyDocument"]
    assert "Decrypt" in shown
    with pytest.raises(DeleteConflict):
        iam(f"Delete{noun}", **named)
    iam(f"Delete{noun}Policy", **named, PolicyName="p")
    with pytest.raises(NoSuchEntity):
        iam(f"Get{noun}Policy", **named, PolicyName="p")


def test_a_managed_policy_has_versions_of_which_one_counts(iam):
    arn = iam("CreatePolicy", PolicyName="p", PolicyDocument=POLICY).answer["Policy"]["Arn"]
    iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=OTHER_POLICY, SetAsDefault=True)
    versions = iam("ListPolicyVersions", PolicyArn=arn).answer["Versions"]
    assert {one["VersionId"]: one["IsDefaultVersion"] for one in versions} == {
        "v1": False,
        "v2": True,
    }
    with pytest.raises(DeleteConflict):
        iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v2")
    iam("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v1")
    iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v2")
    assert iam("GetPolicy", PolicyArn=arn).answer["Policy"]["DefaultVersionId"] == "v1"


def test_a_boundary_limits_what_its_user_may(trial, iam):
    arn = iam("CreatePolicy", PolicyName="b", PolicyDocument=POLICY).answer["Policy"]["Arn"]
    alice = trial.user("alice", allow("kms:*"))
    trial.call("ListKeys", by=alice)
    iam("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=arn)
    shown = iam("GetUser", UserName="alice").answer["User"]["PermissionsBoundary"]
    assert shown["PermissionsBoundaryArn"] == arn
    alice = trial.caller("alice")
    with pytest.raises(AccessDeniedException):
        trial.call("ListKeys", by=alice)
    iam("DeleteUserPermissionsBoundary", UserName="alice")
    trial.call("ListKeys", by=trial.caller("alice"))


def test_an_instance_profile_has_one_role(iam):
    iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST)
    iam("CreateInstanceProfile", InstanceProfileName="p")
    iam("AddRoleToInstanceProfile", InstanceProfileName="p", RoleName="r")
    with pytest.raises(LimitExceeded):
        iam("AddRoleToInstanceProfile", InstanceProfileName="p", RoleName="r")
    profile = iam("GetInstanceProfile", InstanceProfileName="p").answer["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["r"]
    with pytest.raises(DeleteConflict):
        iam("DeleteRole", RoleName="r")
    iam("RemoveRoleFromInstanceProfile", InstanceProfileName="p", RoleName="r")
    iam("DeleteInstanceProfile", InstanceProfileName="p")
    iam("DeleteRole", RoleName="r")


def test_an_identity_provider_is_made_once_for_its_address(iam):
    url = "https://id.example.org"
    made = {"Url": url, "ClientIDList": ["app"], "ThumbprintList": ["a" * 40]}
    arn = iam("CreateOpenIDConnectProvider", **made).answer["OpenIDConnectProviderArn"]
    with pytest.raises(EntityAlreadyExists):
        iam("CreateOpenIDConnectProvider", **made)
    iam("AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=arn, ClientID="other")
    shown = iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn).answer
    assert sorted(shown["ClientIDList"]) == ["app", "other"]
    iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=arn)
    assert iam("ListOpenIDConnectProviders").answer["OpenIDConnectProviderList"] == []


def test_an_account_has_one_alias(iam):
    iam("CreateAccountAlias", AccountAlias="acme")
    assert iam("ListAccountAliases").answer["AccountAliases"] == ["acme"]
    iam("DeleteAccountAlias", AccountAlias="acme")
    assert iam("ListAccountAliases").answer["AccountAliases"] == []
