"""Stories: each operation of a service called once or more, in an order in which all succeed.

A story is given `call(name, **members)`, makes its calls with it, and so serves whoever wants to
look at every operation: at its record, at its members sent empty, at what it needs.
"""

import json

from kit.trial import ACCOUNT, allow

POLICY = json.dumps({"Version": "2012-10-17", "Statement": [allow("kms:Encrypt")]})
OTHER_POLICY = POLICY.replace("Encrypt", "Decrypt")
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
BOUNDARY = "arn:aws:iam::aws:policy/AdministratorAccess"
TAGS = [{"Key": "team", "Value": "vault"}]
PASSWORD = "correct-Horse-battery-1"


def iam_story(call):
    """Tell of users, groups, roles, policies and what belongs to them, until all is deleted."""
    _account(call)
    _identities(call)
    policy = call(
        "CreatePolicy",
        PolicyName="p",
        PolicyDocument=POLICY,
        Path="/team/",
        Description="d",
        Tags=TAGS,
    )
    arn = policy["Policy"]["Arn"]
    _policies(call, arn)
    _access_keys(call)
    _passwords(call)
    _devices(call)
    _providers(call)
    _profiles(call)
    _simulations(call)
    _end(call, arn)


def _account(call):
    call("CreateAccountAlias", AccountAlias="ours")
    call("ListAccountAliases")
    call("DeleteAccountAlias", AccountAlias="ours")
    call("UpdateAccountPasswordPolicy", MinimumPasswordLength=12, AllowUsersToChangePassword=True)
    call("GetAccountPasswordPolicy")


def _identities(call):
    call("CreateUser", UserName="alice", Path="/team/", PermissionsBoundary=BOUNDARY, Tags=TAGS)
    call("GetUser", UserName="alice")
    call("ListUsers")
    call("UpdateUser", UserName="alice", NewPath="/staff/")
    call("TagUser", UserName="alice", Tags=[{"Key": "k", "Value": "v"}])
    call("ListUserTags", UserName="alice")
    call("UntagUser", UserName="alice", TagKeys=["k"])
    call("CreateGroup", GroupName="team", Path="/team/")
    call("AddUserToGroup", UserName="alice", GroupName="team")
    call("GetGroup", GroupName="team")
    call("ListGroups")
    call("UpdateGroup", GroupName="team", NewGroupName="staff")
    call("ListGroupsForUser", UserName="alice")
    call(
        "CreateRole",
        RoleName="r",
        Path="/team/",
        Description="d",
        MaxSessionDuration=7200,
        PermissionsBoundary=BOUNDARY,
        AssumeRolePolicyDocument=TRUST,
        Tags=TAGS,
    )
    call("GetRole", RoleName="r")
    call("ListRoles")
    call("UpdateRole", RoleName="r", Description="e", MaxSessionDuration=3600)
    call("UpdateRoleDescription", RoleName="r", Description="f")
    call("UpdateAssumeRolePolicy", RoleName="r", PolicyDocument=TRUST)
    call("TagRole", RoleName="r", Tags=[{"Key": "k", "Value": "v"}])
    call("ListRoleTags", RoleName="r")
    call("UntagRole", RoleName="r", TagKeys=["k"])
    call("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=BOUNDARY)
    call("DeleteUserPermissionsBoundary", UserName="alice")
    call("PutRolePermissionsBoundary", RoleName="r", PermissionsBoundary=BOUNDARY)
    call("DeleteRolePermissionsBoundary", RoleName="r")
    call("GetAccountAuthorizationDetails")
    call("GetAccountSummary")
    call("ListSSHPublicKeys", UserName="alice")
    call("ListSigningCertificates", UserName="alice")
    call("ListServiceSpecificCredentials", UserName="alice")


BEARERS = (("User", "alice"), ("Group", "staff"), ("Role", "r"))


def _policies(call, arn):
    for noun, name in BEARERS:
        named = {f"{noun}Name": name}
        call(f"Put{noun}Policy", **named, PolicyName="own", PolicyDocument=POLICY)
        call(f"Get{noun}Policy", **named, PolicyName="own")
        call(f"List{noun}Policies", **named)
        call(f"Attach{noun}Policy", **named, PolicyArn=arn)
        call(f"ListAttached{noun}Policies", **named)
    call("ListEntitiesForPolicy", PolicyArn=arn)
    call("GetPolicy", PolicyArn=arn)
    call("ListPolicies", Scope="Local")
    call("TagPolicy", PolicyArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    call("ListPolicyTags", PolicyArn=arn)
    call("UntagPolicy", PolicyArn=arn, TagKeys=["k"])
    call("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=OTHER_POLICY)
    call("GetPolicyVersion", PolicyArn=arn, VersionId="v2")
    call("ListPolicyVersions", PolicyArn=arn)
    call("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v2")
    call("DeletePolicyVersion", PolicyArn=arn, VersionId="v1")


def _access_keys(call):
    made = call("CreateAccessKey", UserName="alice")["AccessKey"]["AccessKeyId"]
    named = {"UserName": "alice", "AccessKeyId": made}
    call("ListAccessKeys", UserName="alice")
    call("GetAccessKeyLastUsed", AccessKeyId=made)
    call("UpdateAccessKey", **named, Status="Inactive")
    call("DeleteAccessKey", **named)


def _passwords(call):
    call("CreateLoginProfile", UserName="alice", Password=PASSWORD, PasswordResetRequired=True)
    call("GetLoginProfile", UserName="alice")
    call("UpdateLoginProfile", UserName="alice", Password=PASSWORD + "2")
    call("ChangePassword", by="alice", OldPassword=PASSWORD + "2", NewPassword=PASSWORD + "3")
    call("DeleteLoginProfile", UserName="alice")
    call("DeleteAccountPasswordPolicy")


def _devices(call):
    made = call("CreateVirtualMFADevice", VirtualMFADeviceName="phone", Path="/team/", Tags=TAGS)
    serial = made["VirtualMFADevice"]["SerialNumber"]
    named = {"UserName": "alice", "SerialNumber": serial}
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    call("EnableMFADevice", **named, **codes)
    call("GetMFADevice", **named)
    call("ResyncMFADevice", **named, **codes)
    call("ListMFADevices", UserName="alice")
    call("ListVirtualMFADevices")
    call("TagMFADevice", SerialNumber=serial, Tags=[{"Key": "k", "Value": "v"}])
    call("ListMFADeviceTags", SerialNumber=serial)
    call("UntagMFADevice", SerialNumber=serial, TagKeys=["k"])
    call("DeactivateMFADevice", **named)
    call("DeleteVirtualMFADevice", SerialNumber=serial)


def _providers(call):
    made = call(
        "CreateOpenIDConnectProvider",
        Url="https://issuer.example",
        ClientIDList=["client"],
        ThumbprintList=["ab" * 20],
        Tags=TAGS,
    )
    named = {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"]}
    call("GetOpenIDConnectProvider", **named)
    call("ListOpenIDConnectProviders")
    call("AddClientIDToOpenIDConnectProvider", **named, ClientID="other")
    call("RemoveClientIDFromOpenIDConnectProvider", **named, ClientID="other")
    call("UpdateOpenIDConnectProviderThumbprint", **named, ThumbprintList=["cd" * 20])
    call("TagOpenIDConnectProvider", **named, Tags=[{"Key": "k", "Value": "v"}])
    call("ListOpenIDConnectProviderTags", **named)
    call("UntagOpenIDConnectProvider", **named, TagKeys=["k"])
    call("DeleteOpenIDConnectProvider", **named)


def _profiles(call):
    named = {"InstanceProfileName": "host"}
    call("CreateInstanceProfile", **named, Path="/team/", Tags=TAGS)
    call("AddRoleToInstanceProfile", **named, RoleName="r")
    call("GetInstanceProfile", **named)
    call("ListInstanceProfiles")
    call("ListInstanceProfilesForRole", RoleName="r")
    call("TagInstanceProfile", **named, Tags=[{"Key": "k", "Value": "v"}])
    call("ListInstanceProfileTags", **named)
    call("UntagInstanceProfile", **named, TagKeys=["k"])
    call("RemoveRoleFromInstanceProfile", **named, RoleName="r")
    call("DeleteInstanceProfile", **named)


def _simulations(call):
    alice = f"arn:aws:iam::{ACCOUNT}:user/staff/alice"
    asked = {
        "ActionNames": ["kms:Encrypt"],
        "ContextEntries": [
            {
                "ContextKeyName": "aws:username",
                "ContextKeyValues": ["alice"],
                "ContextKeyType": "string",
            }
        ],
    }
    levels = [{"ServiceControlPolicyInputList": [POLICY]}]
    call(
        "SimulateCustomPolicy",
        PolicyInputList=[POLICY],
        OrderedOrganizationPolicyInputList=levels,
        **asked,
    )
    call("SimulatePrincipalPolicy", PolicySourceArn=alice, **asked)
    call("GetContextKeysForCustomPolicy", PolicyInputList=[POLICY])
    call("GetContextKeysForPrincipalPolicy", PolicySourceArn=alice)


def _end(call, arn):
    for noun, name in BEARERS:
        named = {f"{noun}Name": name}
        call(f"Delete{noun}Policy", **named, PolicyName="own")
        call(f"Detach{noun}Policy", **named, PolicyArn=arn)
    call("DeletePolicy", PolicyArn=arn)
    call("RemoveUserFromGroup", UserName="alice", GroupName="staff")
    call("DeleteGroup", GroupName="staff")
    call("DeleteUser", UserName="alice")
    call("DeleteRole", RoleName="r")
