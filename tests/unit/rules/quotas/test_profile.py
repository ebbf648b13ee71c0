"""Which group a request is counted in, and for how much."""

from typing import NamedTuple

import pytest

from kagimori.operations.registry import OPERATIONS
from kagimori.rules.quotas.group import code_of
from kagimori.rules.quotas.open_groups import size_of
from kagimori.rules.quotas.profile import AWS, OFF, OPEN, group_keys, profile_named
from kagimori.rules.quotas.refusals import throttled


class Asking(NamedTuple):
    service: str
    name: str
    read_only: bool = False


def charged(profile, name, key_spec="", service="kms", region="eu-north-1", **rest):
    found = profile_named(profile, region).charges(Asking(service, name, **rest), key_spec)
    return {charge.group.key: (charge.group.rate, charge.cost) for charge in found}


@pytest.mark.parametrize(
    ("region", "rate"),
    [
        ("us-east-1", 100_000),
        ("eu-central-1", 20_000),
        ("eu-north-1", 10_000),
        ("cn-north-1", 10_000),
    ],
)
def test_symmetric_operations_share_what_aws_gives_a_region(region, rate):
    for name in (
        "Encrypt",
        "Decrypt",
        "ReEncrypt",
        "GenerateDataKey",
        "GenerateRandom",
        "VerifyMac",
    ):
        shared = charged(AWS, name, "SYMMETRIC_DEFAULT", region=region)
        assert shared == {"CryptographicOperationsSymmetric": (rate, 1.0)}


@pytest.mark.parametrize(
    ("name", "key_spec", "key"),
    [
        ("Sign", "RSA_4096", "CryptographicOperationsRsa"),
        ("Encrypt", "RSA_2048", "CryptographicOperationsRsa"),
        ("Verify", "ECC_NIST_P256", "CryptographicOperationsEcc"),
        ("DeriveSharedSecret", "ECC_NIST_P384", "CryptographicOperationsEcc"),
        ("Decrypt", "SM2", "CryptographicOperationsEcc"),
        ("Sign", "ML_DSA_65", "CryptographicOperationsMlDsa"),
        ("GenerateMac", "HMAC_256", "CryptographicOperationsSymmetric"),
    ],
)
def test_aws_counts_cryptographic_operations_by_key_spec(name, key_spec, key):
    assert list(charged(AWS, name, key_spec)) == [key]


@pytest.mark.parametrize(
    ("key_spec", "elsewhere", "china"),
    [("RSA_2048", 20, 1), ("RSA_3072", 4, 0.5), ("RSA_4096", 1, 0.1), ("ECC_NIST_P256", 100, 100)],
)
def test_data_key_pairs_have_a_quota_for_each_spec(key_spec, elsewhere, china):
    for name in ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"):
        ((rate, _),) = charged(AWS, name, key_spec).values()
        ((rate_china, _),) = charged(AWS, name, key_spec, region="cn-north-1").values()
        assert (rate, rate_china) == (elsewhere, china)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("DescribeKey", 2000), ("ListKeys", 500), ("CreateGrant", 50), ("CreateKey", 5),
     ("PutKeyPolicy", 15), ("TagResource", 10), ("GetParametersForImport", 1)],
)  # fmt: skip
def test_management_operations_have_a_quota_each(name, rate):
    assert charged(AWS, name) == {name: (rate, 1.0)}


def test_every_operation_is_counted_in_every_profile():
    for service, name in OPERATIONS:
        for profile in (AWS, OPEN):
            assert charged(profile, name, "RSA_2048", service), (service, name)
    assert charged(AWS, "WhatEver", service="nobody") == {"Changes": (2000.0, 1.0)}


def test_every_kms_operation_that_aws_names_is_counted_apart_from_the_others():
    alone = [
        name for service, name in OPERATIONS if service == "kms" and "Changes" in charged(AWS, name)
    ]
    assert alone == []


def test_open_counts_dear_work_by_what_it_costs():
    (small,), (large,) = (
        [cost for _, cost in charged(OPEN, "Sign", spec).values()]
        for spec in ("RSA_2048", "RSA_4096")
    )
    assert large > 5 * small
    assert charged(OPEN, "Verify", "RSA_4096")["AsymmetricWork"][1] < small
    made = charged(OPEN, "CreateKey", "RSA_4096")
    assert made["AsymmetricWork"][1] == 600.0
    assert made["Changes"][1] == 1.0
    assert list(charged(OPEN, "CreateKey", "SYMMETRIC_DEFAULT")) == ["Changes"]
    assert list(charged(OPEN, "DescribeKey", read_only=True)) == ["Reads"]
    assert list(charged(OPEN, "SimulateCustomPolicy", service="iam", read_only=True)) == [
        "SearchWork"
    ]


@pytest.mark.parametrize("profile", [AWS, OPEN])
def test_simulations_count_by_what_they_have_to_decide(profile):
    class Given:
        def __init__(self, actions, resources):
            self.ActionNames, self.ResourceArns = ["a"] * actions, ["r"] * resources or None

    costs = []
    for actions, resources in ((1, 0), (20, 2), (100, 4), (1000, 1000)):
        size = size_of(Given(actions, resources))
        found = charged(profile, "SimulateCustomPolicy", size, "iam", read_only=True)
        costs.append(found["SearchWork"][1])
    assert costs == [10.0, 50.0, 250.0, 800.0]


def test_codes_are_unlike_one_another_and_stay():
    for profile in (AWS, OPEN):
        groups = profile_named(profile, "us-east-1").groups.values()
        assert len({group.quota_code for group in groups}) == len(groups)
    assert code_of("kms", "Reads") == code_of("kms", "Reads")
    assert profile_named(AWS, "us-east-1").groups["CreateKey"].quota_code == "L-32B67F4A"


def test_off_has_no_groups():
    assert group_keys(OFF) == frozenset()


@pytest.mark.parametrize(
    ("service", "code", "text"),
    [
        (
            "kms",
            "ThrottlingException",
            (
                "You have exceeded the rate at which you may call KMS. "
                "Reduce the frequency of your calls."
            ),
        ),
        ("sts", "ThrottlingException", "Rate exceeded"),
        ("servicequotas", "TooManyRequestsException", "Rate exceeded"),
    ],
)
def test_each_service_refuses_in_its_own_words(service, code, text):
    refusal = throttled(service)
    assert (refusal.code, refusal.message, refusal.status) == (code, text, 400)
