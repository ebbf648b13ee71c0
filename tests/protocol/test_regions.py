"""Deployments in other regions than us-east-1: global services, regions nobody knows, partitions."""

import subprocess
import sys
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

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
