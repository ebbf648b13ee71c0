"""Partitions and regions, as botocore's data has them."""

import botocore.session
import pytest

from kagimori.rules.partitions import (
    has_form,
    is_known,
    known_regions,
    partition_of,
    partitions,
    region_of_call,
    signable_regions,
)

IAM_REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
}


def test_each_partition_has_the_region_that_iam_is_signed_for():
    found = {one.name: one.global_region for one in partitions().values()}
    assert found.items() >= IAM_REGIONS.items()
    assert all(one.global_region in one.regions for one in partitions().values())


@pytest.mark.parametrize("name", sorted(IAM_REGIONS))
def test_iam_is_signed_for_the_region_that_botocore_signs_it_for(name):
    session = botocore.session.Session()
    region = sorted(partitions()[name].regions)[0]
    client = session.create_client(
        "iam", region_name=region, aws_access_key_id="x", aws_secret_access_key="x"
    )
    assert f"%2F{IAM_REGIONS[name]}%2Fiam%2F" in client.generate_presigned_url("list_users")


def test_every_known_region_is_of_one_partition_and_of_its_form():
    for region in known_regions():
        assert [one.name for one in partitions().values() if region in one.regions] == [
            partition_of(region).name
        ]
        assert [one.name for one in partitions().values() if one.has_form(region)] == [
            partition_of(region).name
        ]
    assert not any("global" in region for region in known_regions())


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("cn-west-7", "aws-cn"),
        ("us-gov-north-3", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-9", "aws-iso-b"),
        ("eusc-de-west-2", "aws-eusc"),
        ("anything", "aws"),
        ("", "aws"),
    ],
)
def test_the_partition_of_a_region(region, partition):
    assert partition_of(region).name == partition


@pytest.mark.parametrize("region", ["us-east-9", "eu-central-1 ", "US-EAST-1", "aws-global", ""])
def test_what_is_no_region(region):
    assert not is_known(region)


@pytest.mark.parametrize("region", ["us-east-٣", "us-éast-1", "us-east-1\n", "us-east", "us--1"])
def test_what_does_not_have_the_form_of_a_region(region):
    assert not has_form(region)


def test_what_may_be_signed_for():
    served = frozenset(("cn-northwest-1",))
    assert signable_regions("kms", served) == served
    for service in ("iam", "sts", "cloudtrail"):
        assert signable_regions(service, served) == {"cn-northwest-1", "cn-north-1"}


def test_where_a_call_takes_place():
    assert region_of_call("iam", "cn-northwest-1") == "cn-north-1"
    assert region_of_call("iam", "eu-central-1") == "us-east-1"
    assert region_of_call("sts", "eu-central-1") == "eu-central-1"
