"""Users, groups, roles and policies of IAM, step by step."""

import json

import pytest

from kagimori.entities.identity_tables import ACCESS_KEY_USES, USERS
from kagimori.gate.account_view import AccountView
from kagimori.rules.identity.account import AccessKeyUse
from kagimori.rules.identity.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    MalformedPolicyDocument,
    NoSuchEntity,
)
from kagimori.rules.refusal import AccessDeniedException
from kit.trial import OTHER, Trial, allow

POLICY = json.dumps({"Version": "2012-10-17", "Statement": [allow("kms:Encrypt")]})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "sts:AssumeRole",
        },
    }
)


@pytest.fixture
def trial():
    return Trial()


@pytest.fixture
def iam(trial):
    return lambda name, reply=None, **members: trial.call(name, reply, service="iam", **members)


def test_a_user_is_made_shown_renamed_and_deleted(iam):
    made = iam("CreateUser", UserName="alice", Tags=[{"Key": "k", "Value": "v"}])
    assert made.needs == ["iam:CreateUser", "iam:TagUser"]
    with pytest.raises(EntityAlreadyExists):
        iam("CreateUser", UserName="Alice")
    iam("UpdateUser", UserName="alice", NewUserName="bob")
    shown = iam("GetUser", UserName="bob").answer["User"]
    assert shown["UserId"] == made.answer["User"]["UserId"]
    with pytest.raises(NoSuchEntity):
        iam("GetUser", UserName="alice")
    iam("DeleteUser", UserName="bob")
    assert iam("ListUsers").answer["Users"] == []


def test_what_a_user_has_keeps_it_from_being_deleted_and_goes_with_its_name(iam):
    iam("CreateUser", UserName="alice")
    iam("CreateGroup", GroupName="team")
    iam("AddUserToGroup", UserName="alice", GroupName="team")
    iam("UpdateUser", UserName="alice", NewUserName="bob")
    with pytest.raises(DeleteConflict, match="remove users from group"):
        iam("DeleteUser", UserName="bob")
    assert [one["GroupName"] for one in iam("ListGroupsForUser", UserName="bob").answer["Groups"]]
    iam("RemoveUserFromGroup", UserName="bob", GroupName="team")
    with pytest.raises(NoSuchEntity):
        iam("RemoveUserFromGroup", UserName="bob", GroupName="team")


def test_a_policy_in_use_is_not_deleted(iam):
    iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST)
    arn = iam("CreatePolicy", PolicyName="p", PolicyDocument=POLICY).answer["Policy"]["Arn"]
    iam("AttachRolePolicy", RoleName="r", PolicyArn=arn)
    assert iam("GetPolicy", PolicyArn=arn).answer["Policy"]["AttachmentCount"] == 1
    with pytest.raises(DeleteConflict):
        iam("DeletePolicy", PolicyArn=arn)
    iam("DetachRolePolicy", RoleName="r", PolicyArn=arn)
    iam("DeletePolicy", PolicyArn=arn)


def test_a_trust_policy_names_those_only_who_exist(iam):
    unknown = TRUST.replace(":root", ":user/nobody")
    with pytest.raises(MalformedPolicyDocument, match="Invalid principal"):
        iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=unknown)


NAMING = [
    ("GetUser", {"UserName": "nobody"}),
    ("GetRole", {"RoleName": "nobody"}),
    ("GetGroup", {"GroupName": "nobody"}),
    ("GetPolicy", {"PolicyArn": "arn:aws:iam::111122223333:policy/nobody"}),
    ("GetInstanceProfile", {"InstanceProfileName": "nobody"}),
    ("DeleteUser", {"UserName": "nobody"}),
    ("ListAccessKeys", {"UserName": "nobody"}),
    ("ListUserTags", {"UserName": "nobody"}),
]


@pytest.mark.parametrize(("name", "members"), NAMING, ids=[name for name, _ in NAMING])
def test_whether_somebody_exists_is_told_to_the_allowed_alone(trial, iam, name, members):
    with pytest.raises(NoSuchEntity):
        iam(name, **members)
    with pytest.raises(AccessDeniedException):
        iam(name, by=trial.user("alice"), **members)


def test_a_denied_caller_causes_no_further_reading(trial, iam, monkeypatch):
    iam("CreateUser", UserName="bob")
    alice = trial.user("alice")
    looks = trial.view.looks
    with pytest.raises(AccessDeniedException):
        iam("DeleteUser", by=alice, UserName="bob")
    denied = trial.view.looks - looks
    looks = trial.view.looks
    iam("DeleteUser", UserName="bob")
    assert denied < trial.view.looks - looks
    assert [user.name for user in trial.view.all(USERS)] == ["alice"]


def test_a_role_shows_its_last_use_to_its_own_account(trial, iam):
    role = iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST).answer["Role"]
    assert iam("GetRole", RoleName="r").answer["Role"]["RoleLastUsed"] == {}
    use = {"at": trial.now, "region": "eu-west-1", "service": "kms"}
    trial.view.put(ACCESS_KEY_USES, AccessKeyUse(access_key_id=role["RoleId"], **use))
    shown = iam("GetRole", RoleName="r").answer["Role"]["RoleLastUsed"]
    assert shown == {"LastUsedDate": trial.now, "Region": "eu-west-1"}
    foreign = AccountView(trial.view, OTHER)
    assert foreign.page(ACCESS_KEY_USES, (role["RoleId"],), None, 1) == ()
