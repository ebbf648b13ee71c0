"""The twin: when a profile's quotas would have throttled."""

import pytest

from kagimori.rules.metering.twin import MINUTES_MAX, ReplayedRequest, Twin

ACCOUNT, OTHER, REGION = "111122223333", "444455556666", "eu-north-1"
MINUTE = 1_800_000_000 // 60 * 60


def request(at, name="CreateKey", *, account=ACCOUNT, service="kms", specs=(), region=REGION):
    return ReplayedRequest(at, account, service, region, name, False, specs)


def replayed(requests, profile="aws"):
    twin = Twin(profile)
    for one in requests:
        twin.take(one)
    return twin.replayed()


def test_requests_within_a_quota_are_not_throttled():
    found = replayed(request(MINUTE + second) for second in range(300) for _ in range(5))
    assert (found.requests, found.throttled, found.minutes) == (1500, 0, ())


def test_what_is_beyond_a_quota_is_throttled_in_its_minute_and_group():
    # CreateKey: 5 a second, and as much again at once.
    found = replayed([request(MINUTE)] * 25 + [request(MINUTE + 61)] * 25)
    shown = [
        (one.minute, one.account_id, one.region, one.group, one.requests, one.throttled)
        for one in found.minutes
    ]
    assert shown == [
        (MINUTE, ACCOUNT, REGION, "CreateKey", 25, 15),
        (MINUTE + 60, ACCOUNT, REGION, "CreateKey", 25, 15),
    ]
    assert (found.requests, found.throttled) == (50, 30)


def test_over_a_long_time_as_many_are_let_in_as_the_rate_says():
    found = replayed(request(MINUTE + second) for second in range(600) for _ in range(8))
    assert found.requests - found.throttled == 600 * 5 + 5


def test_accounts_regions_and_groups_have_buckets_of_their_own():
    many = [request(MINUTE)] * 10
    others = [
        *([request(MINUTE, account=OTHER)] * 10),
        *([request(MINUTE, region="us-east-1")] * 10),
        *([request(MINUTE, "DisableKey")] * 10),
    ]
    assert replayed(many + others).throttled == 0
    assert replayed([*many, request(MINUTE)]).throttled == 1


def test_cryptographic_operations_count_by_the_spec_of_the_key():
    found = replayed([request(MINUTE, "Sign", specs=("RSA_2048",))] * 2500)
    assert [(one.group, one.throttled) for one in found.minutes] == [
        ("CryptographicOperationsRsa", 500)
    ]


def test_a_request_with_keys_of_two_kinds_takes_of_both_or_of_none():
    both = [request(MINUTE, "ReEncrypt", specs=("", "RSA_2048"))] * 2001
    found = replayed([*both, *[request(MINUTE, "Encrypt")] * 18_000])
    assert [(one.group, one.throttled) for one in found.minutes] == [
        ("CryptographicOperationsRsa", 1)
    ]


def test_data_key_pairs_count_by_the_spec_of_the_pair():
    found = replayed([request(MINUTE, "GenerateDataKeyPair", specs=("RSA_4096",))] * 3)
    assert [(one.group, one.throttled) for one in found.minutes] == [
        ("GenerateDataKeyPairRsa4096", 1)
    ]


@pytest.mark.parametrize(("service", "name"), [("iam", "CreateUser"), ("kagimori", "GetStatus")])
def test_what_aws_publishes_no_numbers_of_is_not_counted(service, name):
    assert replayed([request(MINUTE, name, service=service)] * 90_000).requests == 0
    open_found = replayed([request(MINUTE, name, service=service)] * 90_000, "open")
    assert (open_found.requests, bool(open_found.throttled)) == (90_000, True)


def test_a_record_that_comes_a_little_late_counts_in_the_newest_second():
    found = replayed([request(MINUTE + 60)] * 10 + [request(MINUTE + 59)])
    assert [(one.minute, one.throttled) for one in found.minutes] == [(MINUTE + 60, 1)]


def test_minutes_beyond_the_most_are_counted():
    found = replayed(
        request(MINUTE + 60 * minute) for minute in range(MINUTES_MAX + 5) for _ in range(11)
    )
    assert (len(found.minutes), found.minutes_omitted) == (MINUTES_MAX, 5)
