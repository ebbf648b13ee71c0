"""boto3 and IAM: what users may do with IAM itself. Service Authorization Reference, "IAM"."""

import contextlib
import json

import pytest

import serving
from serving import refused

READ = {"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class World:
    """An account with a user, bob, whose one inline policy each test chooses."""

    def __init__(self, server):
        self.server = server
        self.account = server.account
        self.iam = server.client("iam")
        self.iam.create_user(UserName="bob", Path="/people/")
        key = self.iam.create_access_key(UserName="bob")["AccessKey"]
        self.access_key_id = key["AccessKeyId"]
        pair = {"access_key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
        self.bob = server.client("iam", **pair)
        self.bobs_kms = server.client("kms", **pair)

    def arn(self, rest):
        return f"arn:aws:iam::{self.account}:{rest}"

    def may(self, action, resource="*", condition=None, effect="Allow"):
        statement = {"Effect": effect, "Action": action, "Resource": resource}
        if condition is not None:
            statement["Condition"] = condition
        self.put(statement)

    def put(self, *statements):
        self.iam.put_user_policy(
            UserName="bob", PolicyName="own", PolicyDocument=document(*statements)
        )

    def close(self):
        for client in (self.iam, self.bob, self.bobs_kms):
            client.close()


@pytest.fixture(scope="module")
def world(own_server):
    made = World(own_server)
    yield made
    made.close()


@contextlib.contextmanager
def denied(world, action, resource):
    message = (
        f"User: {world.arn('user/people/bob')} is not authorized to perform: {action} on "
        f"resource: {resource} because no identity-based policy allows the {action} action"
    )
    with refused("AccessDenied", message, 403):
        yield


def test_who_may_nothing_is_told_what_it_lacks(world):
    world.may("kms:ListKeys")
    with denied(world, "iam:CreateUser", world.arn("user/team/carol")):
        world.bob.create_user(UserName="carol", Path="/team/")
    with denied(world, "iam:GetUser", world.arn("user/people/bob")):
        world.bob.get_user()
    # Whether somebody exists is not told.
    with denied(world, "iam:DeleteUser", world.arn("user/nobody")):
        world.bob.delete_user(UserName="nobody")
    with denied(world, "iam:ListUsers", world.arn("user/")):
        world.bob.list_users()
    with denied(world, "iam:GetAccountSummary", "*"):
        world.bob.get_account_summary()
    with denied(world, "iam:ListPolicies", "policy path /"):
        world.bob.list_policies()
    with denied(world, "iam:ListVirtualMFADevices", world.arn("mfa/")):
        world.bob.list_virtual_mfa_devices()
    world.may("iam:List*")
    world.bob.list_policies()
    world.bob.list_virtual_mfa_devices()


def test_a_path_is_a_border(world):
    world.may("iam:*User", world.arn("user/team/*"))
    world.bob.create_user(UserName="carol", Path="/team/")
    # Out of the path it is not to be moved; within it, it is.
    with denied(world, "iam:UpdateUser", world.arn("user/carol")):
        world.bob.update_user(UserName="carol", NewPath="/")
    world.bob.update_user(UserName="carol", NewPath="/team/a/")
    with denied(world, "iam:CreateUser", world.arn("user/carol2")):
        world.bob.create_user(UserName="carol2")
    world.bob.delete_user(UserName="carol")


def test_the_caller_is_meant_when_nobody_is_named(world):
    world.may(["iam:GetUser", "iam:*AccessKey*"], world.arn("user/people/${aws:username}"))
    assert world.bob.get_user()["User"]["UserName"] == "bob"
    made = world.bob.create_access_key()["AccessKey"]
    assert made["UserName"] == "bob"
    world.bob.delete_access_key(AccessKeyId=made["AccessKeyId"])
    listed = world.bob.list_access_keys()["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in listed] == [world.access_key_id]


def test_a_user_must_be_bounded_to_be_made(world):
    bound = world.iam.create_policy(PolicyName="bound", PolicyDocument=document(READ))
    arn = bound["Policy"]["Arn"]
    actions = [
        "iam:CreateUser",
        "iam:PutUserPolicy",
        "iam:AttachUserPolicy",
        "iam:DeleteUserPolicy",
    ]
    world.may(actions, condition={"StringEquals": {"iam:PermissionsBoundary": arn}})
    with denied(world, "iam:CreateUser", world.arn("user/carol")):
        world.bob.create_user(UserName="carol")
    world.bob.create_user(UserName="carol", PermissionsBoundary=arn)
    names = {"UserName": "carol", "PolicyName": "own"}
    world.bob.put_user_policy(**names, PolicyDocument=document(READ))
    world.bob.delete_user_policy(**names)
    world.iam.delete_user_permissions_boundary(UserName="carol")
    with denied(world, "iam:PutUserPolicy", world.arn("user/carol")):
        world.bob.put_user_policy(**names, PolicyDocument=document(READ))
    world.iam.delete_user(UserName="carol")
    world.iam.delete_policy(PolicyArn=arn)


def test_only_some_policies_may_be_attached(world):
    reader = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    world.iam.create_group(GroupName="crew")
    world.may(
        ["iam:AttachGroupPolicy", "iam:DetachGroupPolicy"],
        condition={"ArnEquals": {"iam:PolicyARN": reader}},
    )
    world.bob.attach_group_policy(GroupName="crew", PolicyArn=reader)
    with denied(world, "iam:AttachGroupPolicy", world.arn("group/crew")):
        world.bob.attach_group_policy(GroupName="crew", PolicyArn=administrator)
    world.bob.detach_group_policy(GroupName="crew", PolicyArn=reader)
    world.iam.delete_group(GroupName="crew")


def test_tags_of_the_request_and_of_the_user_decide(world):
    blue = [{"Key": "team", "Value": "blue"}]
    red = [{"Key": "team", "Value": "red"}]
    world.put(
        {
            "Effect": "Allow",
            "Action": ["iam:CreateUser", "iam:TagUser"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}},
        },
        {
            "Effect": "Allow",
            "Action": "iam:DeleteUser",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
        },
    )
    with denied(world, "iam:CreateUser", world.arn("user/carol")):
        world.bob.create_user(UserName="carol", Tags=red)
    world.bob.create_user(UserName="carol", Tags=blue)
    world.iam.tag_user(UserName="carol", Tags=red)
    with denied(world, "iam:DeleteUser", world.arn("user/carol")):
        world.bob.delete_user(UserName="carol")
    world.iam.tag_user(UserName="carol", Tags=blue)
    world.bob.delete_user(UserName="carol")


def test_who_tags_when_making_needs_to_be_allowed_to_tag(world):
    world.may("iam:CreateUser")
    with denied(world, "iam:TagUser", world.arn("user/carol")):
        world.bob.create_user(UserName="carol", Tags=[{"Key": "a", "Value": "b"}])
    world.bob.create_user(UserName="carol")
    world.iam.delete_user(UserName="carol")


def test_who_is_trusted_says_nothing_to_who_may_not_write_it(world):
    """The refusal of an unknown principal would tell who exists."""
    world.may("iam:ListRoles")
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": world.arn("user/nobody")},
    }
    with denied(world, "iam:CreateRole", world.arn("role/reader")):
        world.bob.create_role(RoleName="reader", AssumeRolePolicyDocument=document(statement))


def test_a_role_is_passed_to_an_instance_profile_by_who_may(world):
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"},
    }
    world.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=document(statement))
    world.iam.create_instance_profile(InstanceProfileName="machines")
    names = {"InstanceProfileName": "machines", "RoleName": "reader"}
    world.may("iam:AddRoleToInstanceProfile")
    with denied(world, "iam:PassRole", world.arn("role/reader")):
        world.bob.add_role_to_instance_profile(**names)
    world.may(["iam:AddRoleToInstanceProfile", "iam:PassRole"])
    world.bob.add_role_to_instance_profile(**names)
    world.iam.remove_role_from_instance_profile(**names)
    world.iam.delete_instance_profile(InstanceProfileName="machines")
    world.iam.delete_role(RoleName="reader")


def test_what_groups_and_versions_allow_counts_at_once(world):
    world.may("iam:GetUser")
    none = document({"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"})
    arn = world.iam.create_policy(PolicyName="lists", PolicyDocument=none)["Policy"]["Arn"]
    world.iam.create_group(GroupName="crew")
    world.iam.attach_group_policy(GroupName="crew", PolicyArn=arn)
    world.iam.add_user_to_group(GroupName="crew", UserName="bob")
    with refused("AccessDeniedException"):
        world.bobs_kms.list_keys()
    world.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(READ), SetAsDefault=True)
    world.bobs_kms.list_keys()
    world.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    with refused("AccessDeniedException"):
        world.bobs_kms.list_keys()
    world.iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    world.iam.update_group(GroupName="crew", NewGroupName="staff")
    world.iam.update_user(UserName="bob", NewUserName="robert")
    world.bobs_kms.list_keys()
    world.iam.update_user(UserName="robert", NewUserName="bob")
    world.iam.remove_user_from_group(GroupName="staff", UserName="bob")
    with refused("AccessDeniedException"):
        world.bobs_kms.list_keys()
    world.iam.detach_group_policy(GroupName="staff", PolicyArn=arn)
    world.iam.delete_group(GroupName="staff")
    world.iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    world.iam.delete_policy(PolicyArn=arn)


def test_the_last_use_of_an_access_key_is_known(world):
    world.may("iam:GetAccessKeyLastUsed", world.arn("user/people/bob"))
    answer = world.bob.get_access_key_last_used(AccessKeyId=world.access_key_id)
    serving.eventually(
        lambda: (
            "LastUsedDate"
            in world.bob.get_access_key_last_used(AccessKeyId=world.access_key_id)[
                "AccessKeyLastUsed"
            ]
        )
    )
    assert answer["UserName"] == "bob"


def test_a_user_changes_its_own_password(world):
    old, new = "correct-Horse-battery-1", "correct-Horse-battery-2"
    world.may("iam:GetUser")
    world.iam.create_login_profile(UserName="bob", Password=old, PasswordResetRequired=True)
    with denied(world, "iam:ChangePassword", world.arn("user/people/bob")):
        world.bob.change_password(OldPassword=old, NewPassword=new)
    world.may("iam:ChangePassword")
    with refused("AccessDenied", "The old password was incorrect.", 403):
        world.bob.change_password(OldPassword=new, NewPassword=old)
    with refused("PasswordPolicyViolation"):
        world.bob.change_password(OldPassword=old, NewPassword="short")
    world.bob.change_password(OldPassword=old, NewPassword=new)
    profile = world.iam.get_login_profile(UserName="bob")["LoginProfile"]
    assert not profile["PasswordResetRequired"]
    # The account may let all users change theirs.
    world.may("iam:GetUser")
    world.iam.update_account_password_policy(AllowUsersToChangePassword=True)
    world.bob.change_password(OldPassword=new, NewPassword=old)
    world.iam.delete_account_password_policy()
    world.iam.delete_login_profile(UserName="bob")
    with refused("InvalidUserType"):
        world.iam.change_password(OldPassword=old, NewPassword=new)


def test_accounts_do_not_see_each_other(world):
    made = serving.run("account", "create", "--data", world.server.data, "--output", "json")
    other = json.loads(made.stdout)
    iam = world.server.client(
        "iam", access_key=other["access_key_id"], secret=other["secret_access_key"]
    )
    policy = world.iam.create_policy(PolicyName="ours", PolicyDocument=document(READ))["Policy"]
    world.iam.create_account_alias(AccountAlias="ours")
    assert iam.list_users()["Users"] == []
    assert iam.list_policies(Scope="Local")["Policies"] == []
    for call in (
        lambda: iam.get_user(UserName="bob"),
        lambda: iam.get_policy(PolicyArn=policy["Arn"]),
        lambda: iam.get_access_key_last_used(AccessKeyId=world.access_key_id),
        lambda: iam.update_access_key(AccessKeyId=world.access_key_id, Status="Inactive"),
        lambda: iam.delete_account_alias(AccountAlias="ours"),
    ):
        with refused("NoSuchEntity", status=404):
            call()
    # Its own namesake is another.
    iam.create_user(UserName="bob")
    with refused("NoSuchEntity", status=404):
        iam.attach_user_policy(UserName="bob", PolicyArn=policy["Arn"])
    with refused("EntityAlreadyExists", status=409):
        iam.create_account_alias(AccountAlias="ours")
    iam.close()
    world.iam.delete_policy(PolicyArn=policy["Arn"])
    world.iam.delete_account_alias(AccountAlias="ours")


def test_grants_show_who_was_deleted_by_unique_id(world):
    """As key policies do: somebody made later under the same name has nothing of them."""
    iam, kms = world.iam, world.server.client()
    key = kms.create_key()["KeyMetadata"]["Arn"]
    first = iam.create_user(UserName="carol")["User"]
    kms.create_grant(
        KeyId=key,
        GranteePrincipal=first["Arn"],
        RetiringPrincipal=first["Arn"],
        Operations=["Encrypt"],
    )

    def parties(grants):
        return [(one["GranteePrincipal"], one["RetiringPrincipal"]) for one in grants["Grants"]]

    assert parties(kms.list_grants(KeyId=key)) == [(first["Arn"], first["Arn"])]
    iam.delete_user(UserName="carol")
    gone = [(first["UserId"], first["UserId"])]
    assert parties(kms.list_grants(KeyId=key)) == gone
    second = iam.create_user(UserName="carol")["User"]
    for listed in (
        kms.list_grants(KeyId=key),
        kms.list_grants(KeyId=key, GranteePrincipal=first["UserId"]),
        kms.list_retirable_grants(RetiringPrincipal=first["UserId"]),
    ):
        assert parties(listed) == gone
    assert kms.list_grants(KeyId=key, GranteePrincipal=second["Arn"])["Grants"] == []
    assert kms.list_retirable_grants(RetiringPrincipal=second["Arn"])["Grants"] == []
    iam.delete_user(UserName="carol")
    kms.close()
