"""boto3 and IAM: roles, inline and managed policies, boundaries. Reference: 23.1."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from serving import refused


def document(*actions, effect="Allow", resource="*", version="2012-10-17"):
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": version, "Statement": [statement]})


def trust(principal):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


READ = document("kms:Describe*", "kms:List*")


@pytest.fixture(scope="module")
def iam(own_server):
    client = own_server.client("iam")
    yield client
    client.close()


@pytest.fixture
def account(own_server):
    return own_server.account


@pytest.fixture
def alice(iam):
    iam.create_user(UserName="alice")
    yield "alice"
    strip(iam, "user", "alice")
    iam.delete_user(UserName="alice")


@pytest.fixture
def role(iam, account):
    iam.create_role(RoleName="auditor", AssumeRolePolicyDocument=trust({"AWS": account}))
    yield "auditor"
    strip(iam, "role", "auditor")
    iam.delete_role(RoleName="auditor")


@pytest.fixture
def policy(iam):
    """The ARN of a managed policy that may be attached, bound and grown by the test."""
    arn = iam.create_policy(PolicyName="readers", PolicyDocument=READ)["Policy"]["Arn"]
    yield arn
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)


def strip(iam, noun, name):
    names = {f"{noun.title()}Name": name}
    attached = getattr(iam, f"list_attached_{noun}_policies")(**names)["AttachedPolicies"]
    for one in attached:
        getattr(iam, f"detach_{noun}_policy")(**names, PolicyArn=one["PolicyArn"])
    for one in getattr(iam, f"list_{noun}_policies")(**names)["PolicyNames"]:
        getattr(iam, f"delete_{noun}_policy")(**names, PolicyName=one)
    if noun != "group":
        getattr(iam, f"delete_{noun}_permissions_boundary")(**names)


# --- roles ----------------------------------------------------------------------------------------


def test_a_role_is_shown_as_it_was_made(iam, account):
    text = trust({"AWS": f"arn:aws:iam::{account}:root"})
    made = iam.create_role(
        RoleName="reader",
        Path="/team/",
        AssumeRolePolicyDocument=text,
        Description="Reads.",
        MaxSessionDuration=7200,
        Tags=[{"Key": "team", "Value": "vault"}],
    )["Role"]
    try:
        assert made["Arn"] == f"arn:aws:iam::{account}:role/team/reader"
        assert re.fullmatch("AROA[A-Z2-7]{17}", made["RoleId"])
        assert made["AssumeRolePolicyDocument"] == json.loads(text)
        assert "MaxSessionDuration" not in made
        shown = iam.get_role(RoleName="reader")["Role"]
        assert shown == {**made, "MaxSessionDuration": 7200, "RoleLastUsed": {}}
        (listed,) = iam.list_roles(PathPrefix="/team/")["Roles"]
        del shown["Tags"], shown["RoleLastUsed"]
        assert listed == shown
    finally:
        iam.delete_role(RoleName="reader")


def test_a_role_is_changed(iam, role, account):
    iam.update_role(RoleName=role, Description="Reads.", MaxSessionDuration=3601)
    iam.update_role(RoleName=role, MaxSessionDuration=3602)
    shown = iam.get_role(RoleName=role)["Role"]
    assert (shown["Description"], shown["MaxSessionDuration"]) == ("Reads.", 3602)
    iam.update_role_description(RoleName=role, Description="Reads more.")
    assert iam.get_role(RoleName=role)["Role"]["Description"] == "Reads more."
    text = trust({"Service": "s3.amazonaws.com"})
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=text)
    assert iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"] == json.loads(text)
    iam.tag_role(RoleName=role, Tags=[{"Key": "team", "Value": "vault"}])
    assert iam.list_role_tags(RoleName=role)["Tags"] == [{"Key": "team", "Value": "vault"}]
    iam.untag_role(RoleName=role, TagKeys=["team"])
    assert iam.list_role_tags(RoleName=role)["Tags"] == []


def test_who_is_trusted_must_exist(iam, account, role):
    unknown = f"arn:aws:iam::{account}:user/nobody"
    message = f'Invalid principal in policy: "AWS":"{unknown}"'
    with refused("MalformedPolicyDocument", message):
        iam.create_role(RoleName="other", AssumeRolePolicyDocument=trust({"AWS": unknown}))
    with refused("MalformedPolicyDocument", message):
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust({"AWS": unknown}))


def test_who_was_deleted_is_shown_by_id(iam, account, role):
    user = iam.create_user(UserName="bob")["User"]
    text = trust({"AWS": user["Arn"]})
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=text)
    iam.delete_user(UserName="bob")
    shown = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": user["UserId"]}
    # A namesake is somebody else.
    iam.create_user(UserName="bob")
    try:
        shown = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        assert shown["Statement"][0]["Principal"] == {"AWS": user["UserId"]}
    finally:
        iam.delete_user(UserName="bob")


@pytest.mark.parametrize("text", ["{}", "nothing", READ, trust({"AWS": "*"})[:-1]])
def test_trust_policies_that_are_none(iam, text):
    with refused("MalformedPolicyDocument"):
        iam.create_role(RoleName="other", AssumeRolePolicyDocument=text)


# --- inline policies ------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["user", "group", "role"])
def test_the_life_of_an_inline_policy(iam, account, noun):
    names = {f"{noun.title()}Name": "bearer"}
    extra = {"AssumeRolePolicyDocument": trust({"AWS": account})} if noun == "role" else {}
    getattr(iam, f"create_{noun}")(**names, **extra)
    put = getattr(iam, f"put_{noun}_policy")
    put(**names, PolicyName="second", PolicyDocument=READ)
    put(**names, PolicyName="first", PolicyDocument=document("kms:Encrypt"))
    put(**names, PolicyName="first", PolicyDocument=document("kms:Decrypt"))
    answer = getattr(iam, f"get_{noun}_policy")(**names, PolicyName="first")
    assert answer["PolicyDocument"] == json.loads(document("kms:Decrypt"))
    pages = iam.get_paginator(f"list_{noun}_policies").paginate(
        **names, PaginationConfig={"PageSize": 1}
    )
    assert [page["PolicyNames"] for page in pages] == [["first"], ["second"]]
    message = "Cannot delete entity, must delete policies first."
    with refused("DeleteConflict", message, 409):
        getattr(iam, f"delete_{noun}")(**names)
    for name in ("first", "second"):
        getattr(iam, f"delete_{noun}_policy")(**names, PolicyName=name)
    message = f"The {noun} policy with name first cannot be found."
    for action in ("get", "delete"):
        with refused("NoSuchEntity", message, 404):
            getattr(iam, f"{action}_{noun}_policy")(**names, PolicyName="first")
    getattr(iam, f"delete_{noun}")(**names)


def test_inline_policies_are_bounded_together(iam, alice):
    actions = [f"kms:Action{n:04}" for n in range(60)]
    iam.put_user_policy(UserName=alice, PolicyName="one", PolicyDocument=document(*actions))
    message = "Maximum policy size of 2048 bytes exceeded for user alice"
    with refused("LimitExceeded", message, 409):
        iam.put_user_policy(UserName=alice, PolicyName="two", PolicyDocument=document(*actions))
    # Replacing one frees what it took; white space is free.
    spacious = json.dumps(json.loads(document(*actions)), indent=40)
    iam.put_user_policy(UserName=alice, PolicyName="one", PolicyDocument=spacious)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "This policy contains invalid Json"),
        (document("kms:*").replace("kms:*", r"kms:\ud800"), "This policy contains invalid Json"),
        ("{}", None),
        (trust({"AWS": "*"}), None),
        (json.dumps({"Statement": {"Effect": "Maybe", "Action": "*", "Resource": "*"}}), None),
    ],
)
def test_identity_policies_that_are_none(iam, alice, text, message):
    with refused("MalformedPolicyDocument", message):
        iam.put_user_policy(UserName=alice, PolicyName="one", PolicyDocument=text)
    with refused("MalformedPolicyDocument", message):
        iam.create_policy(PolicyName="one", PolicyDocument=text)


# --- managed policies -----------------------------------------------------------------------------


def test_a_managed_policy_is_shown_as_it_was_made(iam, account):
    made = iam.create_policy(
        PolicyName="Writers",
        Path="/team/",
        PolicyDocument=READ,
        Description="Writes.",
        Tags=[{"Key": "team", "Value": "vault"}],
    )["Policy"]
    arn = made["Arn"]
    try:
        assert arn == f"arn:aws:iam::{account}:policy/team/Writers"
        assert re.fullmatch("ANPA[A-Z2-7]{17}", made["PolicyId"])
        assert (made["DefaultVersionId"], made["AttachmentCount"]) == ("v1", 0)
        assert iam.get_policy(PolicyArn=arn)["Policy"] == made
        with refused(
            "EntityAlreadyExists",
            "A policy called writers already exists. Duplicate names are not allowed.",
            409,
        ):
            iam.create_policy(PolicyName="writers", PolicyDocument=READ)
        iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
        iam.untag_policy(PolicyArn=arn, TagKeys=["team"])
        tags = iam.list_policy_tags(PolicyArn=arn)["Tags"]
        assert tags == [{"Key": "stage", "Value": "test"}]
    finally:
        iam.delete_policy(PolicyArn=arn)
    with refused("NoSuchEntity", f"Policy {arn} was not found.", 404):
        iam.get_policy(PolicyArn=arn)


def test_versions(iam, policy):
    second = document("kms:Encrypt")
    made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=second, SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v2"
    assert made["PolicyVersion"]["IsDefaultVersion"]
    shown = iam.get_policy_version(PolicyArn=policy, VersionId="v2")["PolicyVersion"]
    assert shown["Document"] == json.loads(second)
    assert iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"] == "v2"
    with refused("DeleteConflict", "Cannot delete the default version of a policy.", 409):
        iam.delete_policy_version(PolicyArn=policy, VersionId="v2")
    for _ in range(3):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=READ)
    with refused("LimitExceeded", status=409):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=READ)
    with refused("DeleteConflict", status=409):
        iam.delete_policy(PolicyArn=policy)
    iam.set_default_policy_version(PolicyArn=policy, VersionId="v1")
    iam.delete_policy_version(PolicyArn=policy, VersionId="v5")
    made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=READ)
    assert made["PolicyVersion"]["VersionId"] == "v6"
    pages = iam.get_paginator("list_policy_versions").paginate(
        PolicyArn=policy, PaginationConfig={"PageSize": 2}
    )
    versions = [[one["VersionId"] for one in page["Versions"]] for page in pages]
    assert versions == [["v6", "v4"], ["v3", "v2"], ["v1"]]
    message = f"Policy {policy} version v5 does not exist or is not attachable."
    with refused("NoSuchEntity", message, 404):
        iam.get_policy_version(PolicyArn=policy, VersionId="v5")


@pytest.mark.parametrize("noun", ["user", "group", "role"])
def test_attaching_and_detaching(iam, account, policy, noun):
    names = {f"{noun.title()}Name": "bearer"}
    extra = {"AssumeRolePolicyDocument": trust({"AWS": account})} if noun == "role" else {}
    getattr(iam, f"create_{noun}")(**names, **extra)
    attach = getattr(iam, f"attach_{noun}_policy")
    detach = getattr(iam, f"detach_{noun}_policy")
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    attach(**names, PolicyArn=policy)
    attach(**names, PolicyArn=policy)
    attach(**names, PolicyArn=administrator)
    listed = getattr(iam, f"list_attached_{noun}_policies")(**names)["AttachedPolicies"]
    assert [one["PolicyArn"] for one in listed] == [administrator, policy]
    assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 1
    entities = iam.list_entities_for_policy(PolicyArn=policy)[f"Policy{noun.title()}s"]
    assert [one[f"{noun.title()}Name"] for one in entities] == ["bearer"]
    with refused("DeleteConflict", "Cannot delete a policy attached to entities.", 409):
        iam.delete_policy(PolicyArn=policy)
    message = "Cannot delete entity, must detach all policies first."
    with refused("DeleteConflict", message, 409):
        getattr(iam, f"delete_{noun}")(**names)
    detach(**names, PolicyArn=policy)
    detach(**names, PolicyArn=administrator)
    with refused("NoSuchEntity", f"Policy {policy} was not found.", 404):
        detach(**names, PolicyArn=policy)
    missing = f"arn:aws:iam::{account}:policy/missing"
    message = f"Policy {missing} does not exist or is not attachable."
    with refused("NoSuchEntity", message, 404):
        attach(**names, PolicyArn=missing)
    with refused("ValidationError", "Invalid ARN:  Could not be parsed!"):
        attach(**names, PolicyArn="this-is-no-arn-but-long-enough")
    getattr(iam, f"delete_{noun}")(**names)


def test_attachments_go_with_a_renamed_user(iam, policy):
    iam.create_user(UserName="bob", PermissionsBoundary=policy)
    iam.attach_user_policy(UserName="bob", PolicyArn=policy)
    iam.put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=READ)
    iam.update_user(UserName="bob", NewUserName="robert")
    users = iam.list_entities_for_policy(PolicyArn=policy)["PolicyUsers"]
    assert [user["UserName"] for user in users] == ["robert"]
    assert iam.list_user_policies(UserName="robert")["PolicyNames"] == ["own"]
    shown = iam.get_policy(PolicyArn=policy)["Policy"]
    assert (shown["AttachmentCount"], shown["PermissionsBoundaryUsageCount"]) == (1, 1)
    strip(iam, "user", "robert")
    iam.delete_user(UserName="robert")


def test_ten_policies_are_attached_at_most(iam, alice):
    arns = [
        iam.create_policy(PolicyName=f"many{n}", PolicyDocument=READ)["Policy"]["Arn"]
        for n in range(11)
    ]
    for arn in arns[:10]:
        iam.attach_user_policy(UserName=alice, PolicyArn=arn)
    with refused("LimitExceeded", "Cannot exceed quota for PoliciesPerUser: 10", 409):
        iam.attach_user_policy(UserName=alice, PolicyArn=arns[10])
    strip(iam, "user", alice)
    for arn in arns:
        iam.delete_policy(PolicyArn=arn)


def test_policies_are_listed_by_whose_they_are_and_how_used(iam, policy, alice):
    def names(**filters):
        pages = iam.get_paginator("list_policies").paginate(
            **filters, PaginationConfig={"PageSize": 2}
        )
        return [one["PolicyName"] for page in pages for one in page["Policies"]]

    assert names(Scope="Local") == ["readers"]
    assert "AdministratorAccess" in names(Scope="AWS")
    assert {"AdministratorAccess", "readers"} <= set(names())
    assert names(OnlyAttached=True) == []
    iam.attach_user_policy(UserName=alice, PolicyArn=policy)
    assert names(OnlyAttached=True) == ["readers"]
    assert names(PolicyUsageFilter="PermissionsBoundary") == []
    iam.put_user_permissions_boundary(UserName=alice, PermissionsBoundary=policy)
    assert names(PolicyUsageFilter="PermissionsBoundary") == ["readers"]
    assert names(PathPrefix="/nowhere/") == []


def test_a_policy_too_large(iam):
    text = document(*(f"kms:Action{n:04}" for n in range(600)))
    with refused("LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409):
        iam.create_policy(PolicyName="large", PolicyDocument=text)


def test_a_policy_in_use_is_never_deleted_however_close_the_calls(own_server, iam, alice):
    """Deleting and attaching at once: whichever wins, nothing attached is missing."""
    clients = [own_server.client("iam") for _ in range(2)]

    def tried(call, **parameters):
        try:
            call(**parameters)
        except ClientError as problem:
            return problem.response["Error"]["Code"]
        return None

    for number in range(10):
        arn = iam.create_policy(PolicyName=f"raced{number}", PolicyDocument=READ)["Policy"]["Arn"]
        with ThreadPoolExecutor(2) as pool:
            attaching = pool.submit(
                tried, clients[0].attach_user_policy, UserName=alice, PolicyArn=arn
            )
            deleting = pool.submit(tried, clients[1].delete_policy, PolicyArn=arn)
        outcome = (attaching.result(), deleting.result())
        assert outcome in ((None, "DeleteConflict"), ("NoSuchEntity", None))
        if outcome[0] is None:
            iam.detach_user_policy(UserName=alice, PolicyArn=arn)
            iam.delete_policy(PolicyArn=arn)
    for client in clients:
        client.close()


def test_many_take_one_policy_and_one_group_at_once(own_server, iam, policy):
    names = [f"user{number:02}" for number in range(30)]
    clients = [own_server.client("iam") for _ in names]
    iam.create_group(GroupName="crowd")
    for name in names:
        iam.create_user(UserName=name)

    def settle(client, name):
        client.attach_user_policy(UserName=name, PolicyArn=policy)
        client.add_user_to_group(UserName=name, GroupName="crowd")

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(settle, clients, names))
    assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 30
    assert len(iam.get_group(GroupName="crowd")["Users"]) == 30
    iam.update_group(GroupName="crowd", NewGroupName="mob")
    assert len(iam.get_group(GroupName="mob")["Users"]) == 30
    for client, name in zip(clients, names, strict=True):
        iam.detach_user_policy(UserName=name, PolicyArn=policy)
        iam.remove_user_from_group(UserName=name, GroupName="mob")
        iam.delete_user(UserName=name)
        client.close()
    iam.delete_group(GroupName="mob")


# --- boundaries -----------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["user", "role"])
def test_boundaries(iam, alice, role, policy, noun):
    names = {f"{noun.title()}Name": alice if noun == "user" else role}

    def shown():
        entity = getattr(iam, f"get_{noun}")(**names)[noun.title()]
        return entity.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")

    put = getattr(iam, f"put_{noun}_permissions_boundary")
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    put(**names, PermissionsBoundary=administrator)
    assert shown() == administrator
    put(**names, PermissionsBoundary=policy)
    put(**names, PermissionsBoundary=policy)
    assert shown() == policy
    assert iam.get_policy(PolicyArn=policy)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    with refused("DeleteConflict", "Cannot delete a policy attached to entities.", 409):
        iam.delete_policy(PolicyArn=policy)
    getattr(iam, f"delete_{noun}_permissions_boundary")(**names)
    assert shown() is None
    missing = policy + "-missing"
    message = f"Scope ARN: {missing} does not exist or is not attachable."
    with refused("NoSuchEntity", message, 404):
        put(**names, PermissionsBoundary=missing)


def test_a_bounded_user_is_deleted_with_its_boundary(iam, policy):
    iam.create_user(UserName="bob", PermissionsBoundary=policy)
    iam.delete_user(UserName="bob")
    assert iam.get_policy(PolicyArn=policy)["Policy"]["PermissionsBoundaryUsageCount"] == 0
