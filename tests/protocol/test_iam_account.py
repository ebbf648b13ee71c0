"""boto3 and IAM: the account, instance profiles, OpenID Connect providers. Reference: 23.1."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving import refused

READ = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}],
    }
)


@pytest.fixture(scope="module")
def iam(own_server):
    client = own_server.client("iam")
    yield client
    client.close()


@pytest.fixture
def role(iam, own_server):
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": own_server.account},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.create_role(RoleName="runner", AssumeRolePolicyDocument=json.dumps(trust))
    yield "runner"
    iam.delete_role(RoleName="runner")


# --- the account ----------------------------------------------------------------------------------


def test_the_summary_counts(iam, role):
    before = iam.get_account_summary()["SummaryMap"]
    iam.create_user(UserName="alice")
    after = iam.get_account_summary()["SummaryMap"]
    iam.delete_user(UserName="alice")
    assert after["Users"] == before["Users"] + 1
    assert (after["Roles"], after["UsersQuota"], after["AccessKeysPerUserQuota"]) == (1, 5000, 2)
    assert after["AccountAccessKeysPresent"] == 1


def test_an_account_has_one_alias(iam):
    assert iam.list_account_aliases()["AccountAliases"] == []
    iam.create_account_alias(AccountAlias="vault")
    with refused("EntityAlreadyExists", "The account alias vault already exists.", 409):
        iam.create_account_alias(AccountAlias="vault")
    iam.create_account_alias(AccountAlias="strongroom")
    assert iam.list_account_aliases()["AccountAliases"] == ["strongroom"]
    with refused("NoSuchEntity", "The account alias vault cannot be found.", 404):
        iam.delete_account_alias(AccountAlias="vault")
    iam.delete_account_alias(AccountAlias="strongroom")
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_the_authorization_details_are_all_there_is(iam, role):
    iam.create_user(UserName="alice")
    iam.create_group(GroupName="crew")
    arn = iam.create_policy(PolicyName="readers", PolicyDocument=READ)["Policy"]["Arn"]
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.add_user_to_group(UserName="alice", GroupName="crew")
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=READ)
    iam.attach_group_policy(GroupName="crew", PolicyArn=arn)
    iam.attach_group_policy(GroupName="crew", PolicyArn=administrator)
    pages = list(
        iam.get_paginator("get_account_authorization_details").paginate(
            PaginationConfig={"PageSize": 2}
        )
    )
    assert len(pages) == 3
    found = {
        name: [entry for page in pages for entry in page[name]]
        for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    }
    (user,) = found["UserDetailList"]
    assert user["GroupList"] == ["crew"]
    assert user["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": json.loads(READ)}]
    (group,) = found["GroupDetailList"]
    assert [one["PolicyArn"] for one in group["AttachedManagedPolicies"]] == [arn, administrator]
    (shown_role,) = found["RoleDetailList"]
    assert shown_role["RoleName"] == role
    assert {one["Arn"] for one in found["Policies"]} == {arn, administrator}
    only = iam.get_account_authorization_details(Filter=["LocalManagedPolicy"])
    assert [one["PolicyName"] for one in only["Policies"]] == ["readers"]
    assert only["UserDetailList"] == []
    (version,) = only["Policies"][0]["PolicyVersionList"]
    assert version["Document"] == json.loads(READ)
    iam.detach_group_policy(GroupName="crew", PolicyArn=arn)
    iam.detach_group_policy(GroupName="crew", PolicyArn=administrator)
    iam.remove_user_from_group(UserName="alice", GroupName="crew")
    iam.delete_user_policy(UserName="alice", PolicyName="own")
    iam.delete_user(UserName="alice")
    iam.delete_group(GroupName="crew")
    iam.delete_policy(PolicyArn=arn)


def test_a_quota_holds_however_many_ask_at_once(own_server, iam):
    clients = [own_server.client("iam") for _ in range(20)]

    def make(pair):
        number, client = pair
        try:
            client.create_open_id_connect_provider(Url=f"https://p{number}.example.com")
        except client.exceptions.LimitExceededException as problem:
            return problem.response["Error"]["Message"]
        return None

    for number in range(90):
        assert make((number, iam)) is None
    with ThreadPoolExecutor(20) as pool:
        refusals = list(filter(None, pool.map(make, enumerate(clients, 100))))
    message = "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100"
    assert refusals == [message] * 10
    providers = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert len(providers) == 100
    for provider in providers:
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    for client in clients:
        client.close()


# --- instance profiles ----------------------------------------------------------------------------


def test_the_life_of_an_instance_profile(iam, own_server, role):
    made = iam.create_instance_profile(InstanceProfileName="machines", Path="/a/")
    arn = f"arn:aws:iam::{own_server.account}:instance-profile/a/machines"
    assert made["InstanceProfile"]["Arn"] == arn
    assert made["InstanceProfile"]["Roles"] == []
    with refused("EntityAlreadyExists", "Instance Profile Machines already exists.", 409):
        iam.create_instance_profile(InstanceProfileName="Machines")
    names = {"InstanceProfileName": "machines"}
    iam.add_role_to_instance_profile(**names, RoleName=role)
    message = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
    with refused("LimitExceeded", message, 409):
        iam.add_role_to_instance_profile(**names, RoleName=role)
    shown = iam.get_instance_profile(**names)["InstanceProfile"]
    assert [one["RoleName"] for one in shown["Roles"]] == [role]
    listed = iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    assert [one["Arn"] for one in listed] == [arn]
    assert iam.list_instance_profiles(PathPrefix="/b/")["InstanceProfiles"] == []
    assert len(iam.list_instance_profiles(PathPrefix="/a/")["InstanceProfiles"]) == 1
    message = "Cannot delete entity, must remove roles from instance profile first."
    with refused("DeleteConflict", message, 409):
        iam.delete_role(RoleName=role)
    with refused("DeleteConflict", message, 409):
        iam.delete_instance_profile(**names)
    iam.tag_instance_profile(**names, Tags=[{"Key": "a", "Value": "1"}])
    assert iam.list_instance_profile_tags(**names)["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.untag_instance_profile(**names, TagKeys=["a"])
    iam.remove_role_from_instance_profile(**names, RoleName=role)
    iam.delete_instance_profile(**names)
    assert iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"] == []
    with refused("NoSuchEntity", "Instance Profile machines cannot be found.", 404):
        iam.get_instance_profile(**names)


# --- OpenID Connect providers ---------------------------------------------------------------------

URL = "https://token.example.com/tenant"


def test_the_life_of_an_openid_connect_provider(iam, own_server):
    made = iam.create_open_id_connect_provider(
        Url=URL, ClientIDList=["app"], ThumbprintList=["AB" * 20], Tags=[{"Key": "a", "Value": "1"}]
    )
    names = {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"]}
    arn = f"arn:aws:iam::{own_server.account}:oidc-provider/token.example.com/tenant"
    assert names["OpenIDConnectProviderArn"] == arn
    with refused("EntityAlreadyExists", f"Provider with url {URL} already exists.", 409):
        iam.create_open_id_connect_provider(Url=URL)
    iam.add_client_id_to_open_id_connect_provider(**names, ClientID="other")
    iam.remove_client_id_from_open_id_connect_provider(**names, ClientID="app")
    iam.update_open_id_connect_provider_thumbprint(**names, ThumbprintList=["cd" * 20])
    shown = iam.get_open_id_connect_provider(**names)
    assert shown["Url"] == "token.example.com/tenant"
    assert shown["ClientIDList"] == ["other"]
    assert shown["ThumbprintList"] == ["cd" * 20]
    assert iam.list_open_id_connect_provider_tags(**names)["Tags"] == [{"Key": "a", "Value": "1"}]
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    iam.delete_open_id_connect_provider(**names)
    iam.delete_open_id_connect_provider(**names)
    message = f"OpenIDConnect Provider not found for arn {arn}"
    with refused("NoSuchEntity", message, 404):
        iam.get_open_id_connect_provider(**names)


@pytest.mark.parametrize(
    "parameters",
    [
        {"Url": "http://token.example.com"},
        {"Url": "https://"},
        {"Url": "https://token.example.com/?a=b"},
        {"Url": URL, "ThumbprintList": ["zz" * 20]},
        {"Url": URL, "ThumbprintList": [f"{n:040}" for n in range(6)]},
    ],
)
def test_providers_that_cannot_be(iam, parameters):
    with refused("ValidationError"):
        iam.create_open_id_connect_provider(**parameters)
