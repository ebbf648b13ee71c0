"""Deployments in other regions than us-east-1: global services, regions nobody knows, partitions."""

import json
import re
import subprocess
import sys
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

import boto3
import pytest

import serving
from serving import refused

AWS = str(Path(sys.executable).with_name("aws"))
INVALID_REGION = "Credential should be scoped to a valid region. "
# A region of a deployment, and where its partition's global services are.
HOMES = {
    "eu-central-1": "us-east-1",
    "cn-northwest-1": "cn-north-1",
    "us-gov-east-1": "us-gov-west-1",
}


@pytest.fixture(scope="module")
def deployments():
    """Start the deployment of a region when it is first asked for; end all of them together."""
    with ExitStack() as stack:

        @cache
        def in_region(region):
            return stack.enter_context(serving.served(init_options=("--region", region)))

        yield in_region


@pytest.fixture(params=HOMES)
def away(request, deployments):
    """A deployment in one region, which is not where its partition's global services are."""
    return deployments(request.param)


@pytest.fixture
def cli(away):
    variables = away.environment()

    def run(*arguments, **changed):
        done = subprocess.run(
            [AWS, *arguments, "--output", "json"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**variables, **changed},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ("iam", "list-users"),
        ("sts", "get-caller-identity"),
        ("kms", "list-keys"),
        ("cloudtrail", "lookup-events"),
    ],
)
def test_what_env_prints_works_for_every_service(cli, arguments):
    cli(*arguments)


def test_the_global_endpoint_of_sts(cli):
    cli("sts", "get-caller-identity", AWS_STS_REGIONAL_ENDPOINTS="legacy")


def test_global_services_may_be_signed_for_their_own_region(away):
    there = HOMES[away.region]
    for service, ask in (
        ("iam", lambda client: client.list_users()),
        ("sts", lambda client: client.get_caller_identity()),
        ("cloudtrail", lambda client: client.lookup_events()),
    ):
        with closing(away.client(service, region=there)) as client:
            ask(client)


def test_kms_is_asked_where_it_is_served(away):
    there = HOMES[away.region]
    with (
        closing(away.client(region=there)) as client,
        refused("InvalidSignatureException", INVALID_REGION),
    ):
        client.list_keys()


@pytest.mark.parametrize("scope", ["home", "global"])
def test_iam_takes_signatures_for_both_and_records_one(away, scope):
    """Clients that were given an endpoint sign for their own region; AWS has IAM in one."""
    there = HOMES[away.region]
    signed_for = away.region if scope == "home" else there
    name = f"alice-{scope}"
    answer = away.send(
        serving.Signed(
            away,
            "CreateUser",
            {"UserName": name, "Version": "2010-05-08"},
            service="iam",
            protocol="query",
            region=signed_for,
        )
    )
    assert answer.status == 200, answer.body
    for region in (away.region, there):
        with closing(away.client("cloudtrail", region=region)) as trail:
            attribute = {"AttributeKey": "EventName", "AttributeValue": "CreateUser"}

            def found(trail=trail, attribute=attribute):
                events = trail.lookup_events(LookupAttributes=[attribute])["Events"]
                return [e["CloudTrailEvent"] for e in events if f'"{name}"' in e["CloudTrailEvent"]]

            serving.eventually(found)
            assert f'"awsRegion":"{there}"' in found()[0]


def test_events_of_both_regions_come_in_pages_newest_first(away):
    with (
        closing(away.client("iam")) as iam,
        closing(away.client()) as kms,
        closing(away.client("cloudtrail")) as trail,
    ):
        for _ in range(3):
            iam.list_roles()
            kms.list_aliases()
        names = {"ListRoles", "ListAliases"}

        def found():
            pages = trail.get_paginator("lookup_events").paginate(
                PaginationConfig={"PageSize": 2, "MaxItems": 1000}
            )
            return [event for page in pages for event in page["Events"]]

        serving.eventually(lambda: sum(e["EventName"] in names for e in found()) >= 6)
        events = found()
        times = [event["EventTime"] for event in events]
        assert times == sorted(times, reverse=True)
        assert len({event["EventId"] for event in events}) == len(events)


def test_where_the_global_region_is_served_only_that_one_has_the_events(server):
    """As on AWS, where IAM's events are looked up in us-east-1."""
    with closing(server.client("iam")) as iam:
        iam.list_groups()
    with closing(server.client("cloudtrail", region="us-east-1")) as trail:
        attribute = {"AttributeKey": "EventName", "AttributeValue": "ListGroups"}
        serving.eventually(lambda: trail.lookup_events(LookupAttributes=[attribute])["Events"])
    with closing(server.client("cloudtrail", region="eu-central-1")) as trail:
        assert trail.lookup_events(LookupAttributes=[attribute])["Events"] == []


# --- regions that are refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "regions",
    [
        ("us-east-9",),
        ("eu-centrall-1",),
        ("US-EAST-1",),
        ("us-east-1 ",),
        ("aws-global",),
        ("",),
        ("us-east-1", "us-east-9"),
    ],
)
def test_a_region_that_aws_does_not_have(tmp_path, regions):
    options = [text for region in regions for text in ("--region", region)]
    done = serving.run("init", "--data", tmp_path / "data", *options)
    assert done.returncode == 1
    assert "AWS has no region" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_region_that_aws_may_have_by_now(tmp_path):
    done = serving.run(
        "init", "--data", tmp_path / "data", "--region", "cn-east-1", "--allow-unknown-regions"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("region", ["mars-1", "us-east", "us_east_1", "us-east-1.example.org", "*"])
def test_a_name_that_no_region_can_have(tmp_path, region):
    options = ("--region", region, "--allow-unknown-regions")
    done = serving.run("init", "--data", tmp_path / "data", *options)
    assert done.returncode == 1
    assert "does not have the form of a region's name" in done.stderr


@pytest.mark.parametrize("other", ["cn-north-1", "us-gov-west-1", "eusc-de-east-1"])
def test_regions_of_two_partitions(tmp_path, other):
    options = ("--region", "us-east-1", "--region", other)
    done = serving.run("init", "--data", tmp_path / "data", *options)
    assert done.returncode == 1
    assert "different partitions" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("service", ["kms", "sts", "iam", "cloudtrail"])
def test_dev_refuses_a_region_that_aws_does_not_have(dev, service):
    operation = {"kms": "CreateKey", "sts": "GetCallerIdentity", "iam": "ListUsers"}
    code = "ValidationError" if service in ("sts", "iam") else "ValidationException"
    if service in ("sts", "iam"):
        version = "2010-05-08" if service == "iam" else "2011-06-15"
        signed = serving.Signed(
            dev,
            operation[service],
            {"Version": version},
            service=service,
            protocol="query",
            region="us-east-9",
        )
    else:
        prefix = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."
        target = {} if service == "kms" else {"X-Amz-Target": prefix + "LookupEvents"}
        signed = serving.Signed(
            dev, "CreateKey", {}, service=service, headers=target, region="us-east-9"
        )
    answer = dev.send(signed)
    assert answer.status == 400
    assert code in answer.body.decode()
    assert "There is no region" in answer.body.decode()


def test_dev_serves_the_regions_of_all_partitions(dev):
    for region, partition in (
        ("ap-southeast-6", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-east-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
        ("us-iso-east-1", "aws-iso"),
    ):
        with closing(dev.client(region=region)) as kms:
            arn = kms.create_key()["KeyMetadata"]["Arn"]
        assert arn.startswith(f"arn:{partition}:kms:{region}:")


def test_a_seed_in_a_region_that_aws_does_not_have(tmp_path):
    (tmp_path / "seed.yaml").write_text("Keys: {}\n")
    options = ("--seed", tmp_path / "seed.yaml", "--seed-region", "us-east-9")
    done = serving.run("dev", "--listen", "127.0.0.1:0", *options)
    assert done.returncode == 1
    assert "AWS has no region 'us-east-9'" in done.stderr


# --- partitions -----------------------------------------------------------------------------------

PARTITIONS = {"eu-central-1": "aws", "cn-northwest-1": "aws-cn", "us-gov-east-1": "aws-us-gov"}
TRUST = (
    '{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "sts:AssumeRole",'
    ' "Principal": {{"AWS": "{principal}"}}}}]}}'
)
IDENTITY = (
    '{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "kms:*",'
    ' "Resource": "{resource}"}}]}}'
)


@pytest.fixture
def partition(away):
    return PARTITIONS[away.region]


@pytest.fixture
def foreign(partition):
    """A partition that is another."""
    return "aws-cn" if partition == "aws" else "aws"


@pytest.fixture
def iam(away):
    with closing(away.client("iam")) as client:
        yield client


@pytest.fixture
def kms_away(away):
    with closing(away.client()) as client:
        yield client


def every_arn(value):
    """Yield whatever looks like an ARN in an answer."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from every_arn(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from every_arn(inner)
    elif isinstance(value, str):
        yield from re.findall(r"arn:[^:]*:[a-z]+:", value)


def all_of(partition, answer):
    found = list(every_arn({k: v for k, v in answer.items() if k != "ResponseMetadata"}))
    assert found
    assert all(arn.startswith(f"arn:{partition}:") for arn in found), found
    return answer


def test_keys_and_their_default_policy(partition, kms_away):
    key = all_of(partition, kms_away.create_key())["KeyMetadata"]["Arn"]
    all_of(partition, kms_away.get_key_policy(KeyId=key))
    kms_away.create_alias(AliasName=f"alias/{key[-12:]}", TargetKeyId=key)
    all_of(partition, kms_away.list_aliases())
    with refused("InvalidArnException"):
        kms_away.describe_key(KeyId=key.replace(f"arn:{partition}:", "arn:aws-iso:"))


def test_records(partition, kms_away, away):
    key = all_of(partition, kms_away.create_key())["KeyMetadata"]["Arn"]
    with closing(away.client("cloudtrail")) as trail:
        wanted = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
        serving.eventually(lambda: trail.lookup_events(LookupAttributes=wanted)["Events"])
        event = trail.lookup_events(LookupAttributes=wanted)["Events"][0]
    assert event["Resources"] == [{"ResourceType": "AWS::KMS::Key", "ResourceName": key}]
    record = json.loads(event["CloudTrailEvent"])
    assert record["userIdentity"]["arn"] == f"arn:{partition}:iam::{away.account}:root"
    all_of(partition, record)


def test_an_account_in_a_key_policy_is_shown_by_its_partition(partition, kms_away, away):
    key = kms_away.create_key()["KeyMetadata"]["Arn"]
    policy = kms_away.get_key_policy(KeyId=key)["Policy"]
    root = f"arn:{partition}:iam::{away.account}:root"
    assert root in policy
    kms_away.put_key_policy(KeyId=key, Policy=policy.replace(root, away.account))
    assert root in kms_away.get_key_policy(KeyId=key)["Policy"]


def test_identities(partition, iam, away):
    suffix = away.region
    all_of(partition, iam.create_user(UserName=f"bob-{suffix}"))
    all_of(partition, iam.create_group(GroupName=f"g-{suffix}"))
    trust = TRUST.format(principal=f"arn:{partition}:iam::{away.account}:root")
    all_of(partition, iam.create_role(RoleName=f"r-{suffix}", AssumeRolePolicyDocument=trust))
    all_of(partition, iam.create_instance_profile(InstanceProfileName=f"p-{suffix}"))
    all_of(
        partition,
        iam.create_policy(
            PolicyName=f"pol-{suffix}",
            PolicyDocument=IDENTITY.format(resource=f"arn:{partition}:kms:*:*:key/*"),
        ),
    )
    provider = iam.create_open_id_connect_provider(Url="https://idp.example.org")
    all_of(partition, provider)
    iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["OpenIDConnectProviderArn"])
    iam.delete_open_id_connect_provider(
        OpenIDConnectProviderArn=provider["OpenIDConnectProviderArn"]
    )
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=f"m-{suffix}")
    serial = device["VirtualMFADevice"]["SerialNumber"]
    assert serial.startswith(f"arn:{partition}:iam::")
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    managed = f"arn:{partition}:iam::aws:policy/AdministratorAccess"
    iam.attach_user_policy(UserName=f"bob-{suffix}", PolicyArn=managed)
    attached = iam.list_attached_user_policies(UserName=f"bob-{suffix}")
    assert [one["PolicyArn"] for one in attached["AttachedPolicies"]] == [managed]
    all_of(partition, iam.list_policies(Scope="AWS"))
    all_of(partition, iam.get_account_authorization_details())


def test_who_callers_are(partition, iam, away):
    def who(**credentials):
        with closing(away.client("sts", **credentials)) as sts:
            return sts.get_caller_identity()["Arn"]

    assert who() == f"arn:{partition}:iam::{away.account}:root"
    name = f"carol-{away.region}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    access_key = iam.create_access_key(UserName=name)["AccessKey"]
    pair = {"access_key": access_key["AccessKeyId"], "secret": access_key["SecretAccessKey"]}
    assert who(**pair) == arn == f"arn:{partition}:iam::{away.account}:user/{name}"
    everything = IDENTITY.format(resource="*").replace("kms:*", "*")
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=everything)
    role = iam.create_role(
        RoleName=f"role-{away.region}", AssumeRolePolicyDocument=TRUST.format(principal=arn)
    )["Role"]
    with closing(away.client("sts", **pair)) as sts:
        assumed = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="session")
        assert assumed["AssumedRoleUser"]["Arn"] == (
            f"arn:{partition}:sts::{away.account}:assumed-role/{role['RoleName']}/session"
        )
        federated = sts.get_federation_token(Name="fed")
        assert federated["FederatedUser"]["Arn"] == (
            f"arn:{partition}:sts::{away.account}:federated-user/fed"
        )
    with closing(away.client("sts")) as sts:
        made = sts.get_session_token()["Credentials"]
    session = boto3.session.Session(
        made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], away.region
    )
    with closing(session.client("sts", endpoint_url=away.url)) as sts:
        all_of(partition, sts.get_caller_identity())


def test_grants(partition, foreign, kms_away, iam, away):
    key = kms_away.create_key()["KeyMetadata"]["Arn"]
    arn = iam.create_user(UserName=f"dave-{away.region}")["User"]["Arn"]
    kms_away.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Encrypt"])
    all_of(partition, {"Grants": kms_away.list_grants(KeyId=key)["Grants"]})
    for stranger in (
        arn.replace(f"arn:{partition}:", f"arn:{foreign}:"),
        f"arn:{foreign}:iam::{away.account}:root",
    ):
        with refused("InvalidArnException"):
            kms_away.create_grant(KeyId=key, GranteePrincipal=stranger, Operations=["Encrypt"])


def test_arns_of_another_partition_in_policies(partition, foreign, kms_away, iam, away):
    root = f"arn:{foreign}:iam::{away.account}:root"
    resource = f"arn:{foreign}:kms:*:*:key/*"
    with refused(
        "MalformedPolicyDocument", f'Partition "{foreign}" is not valid for resource "{resource}".'
    ):
        iam.create_policy(PolicyName="x", PolicyDocument=IDENTITY.format(resource=resource))
    with refused("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{root}"'):
        iam.create_role(RoleName="x", AssumeRolePolicyDocument=TRUST.format(principal=root))
    key = kms_away.create_key()["KeyMetadata"]["Arn"]
    policy = kms_away.get_key_policy(KeyId=key)["Policy"]
    with refused("InvalidArnException"):
        kms_away.put_key_policy(
            KeyId=key, Policy=policy.replace(f"arn:{partition}:iam", f"arn:{foreign}:iam")
        )
    with closing(away.client("iam")) as client, refused("InvalidInput", status=400):
        client.simulate_custom_policy(
            PolicyInputList=[IDENTITY.format(resource=resource)], ActionNames=["kms:Encrypt"]
        )


@pytest.mark.parametrize("resource", ["arn:aws-mars:s3:::b", "arn::s3:::b", "arn:AWS:s3:::b"])
def test_a_partition_that_there_is_not(iam, resource):
    named = resource.split(":")[1]
    with refused(
        "MalformedPolicyDocument", f'Partition "{named}" is not valid for resource "{resource}".'
    ):
        iam.create_policy(PolicyName="x", PolicyDocument=IDENTITY.format(resource=resource))


def test_policies_of_another_partition(foreign, iam, away):
    name = f"eve-{away.region}"
    iam.create_user(UserName=name)
    for arn in (
        f"arn:{foreign}:iam::aws:policy/AdministratorAccess",
        f"arn:{foreign}:iam::{away.account}:policy/x",
    ):
        for ask in (
            lambda arn: iam.attach_user_policy(UserName=name, PolicyArn=arn),
            lambda arn: iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=arn),
            lambda arn: iam.create_user(UserName=f"{name}-2", PermissionsBoundary=arn),
        ):
            with refused("ValidationError", "Invalid ARN partition"):
                ask(arn)


def test_a_role_of_another_partition(partition, foreign, iam, away):
    trust = TRUST.format(principal=f"arn:{partition}:iam::{away.account}:root")
    role = iam.create_role(RoleName=f"other-{away.region}", AssumeRolePolicyDocument=trust)
    arn = role["Role"]["Arn"].replace(f"arn:{partition}:", f"arn:{foreign}:")
    with closing(away.client("sts")) as sts, refused("AccessDenied", status=403):
        sts.assume_role(RoleArn=arn, RoleSessionName="session")


def test_an_account_of_dev_has_names_in_each_partition(dev):
    for region, partition in (("us-east-1", "aws"), ("cn-north-1", "aws-cn")):
        with closing(dev.client("sts", region=region)) as sts:
            assert sts.get_caller_identity()["Arn"] == f"arn:{partition}:iam::000000000000:root"
        with closing(dev.client("iam", region=region)) as iam:
            user = iam.create_user(UserName=f"frank-{partition}")["User"]
        assert user["Arn"] == f"arn:{partition}:iam::000000000000:user/frank-{partition}"
