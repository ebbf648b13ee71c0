"""`kagimori usage` and `kagimori twin` against a server: equal to a recount of its journals."""

import csv
import json
from collections import Counter

import pytest
from botocore.exceptions import ClientError

import serving
from kagimori.rules.chain.chain import read_line
from kagimori.rules.chain.groups import unmarked
from serving import eventually, run

ENCRYPTIONS, DENIALS = 17, 3


@pytest.fixture(scope="module")
def server():
    with serving.served("--quotas", "aws") as made:
        use(made)
        yield made


def use(server):
    kms, iam = server.client(), server.client("iam")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(ENCRYPTIONS):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    iam.create_user(UserName="bob")
    made = iam.create_access_key(UserName="bob")["AccessKey"]
    bob = server.client(access_key=made["AccessKeyId"], secret=made["SecretAccessKey"])
    for _ in range(DENIALS):
        with pytest.raises(ClientError):
            bob.encrypt(KeyId=key, Plaintext=b"x")
    for _ in range(30):
        try:
            kms.disable_key(KeyId=key)
        except ClientError as refused:
            assert refused.response["Error"]["Code"] == "ThrottlingException"


def recount(server):
    """Count the journals' records of requests by service, operation and error."""
    counts = Counter()
    for file in (server.data / "audit").glob("*/*.jsonl"):
        for line in file.read_bytes().splitlines():
            record = json.loads(unmarked(read_line(line)[2]))
            if record["eventType"] == "AwsApiCall":
                service = record["eventSource"].removesuffix(".amazonaws.com")
                counts[service, record["eventName"]] += 1
    return counts


def usage(server, *options):
    done = run("usage", "--data", server.data, *options, check=True)
    return json.loads(done.stdout) if "json" in options else done.stdout


def test_usage_is_the_journals_own_count(server):
    wanted = {name: count for name, count in recount(server).items() if name[0] != "kagimori"}
    assert wanted["kms", "Encrypt"] == ENCRYPTIONS + DENIALS

    def counted():
        found = usage(server, "--output", "json")["entries"]
        return {(one["service"], one["name"]): one["requests"] for one in found}

    eventually(lambda: wanted.items() <= counted().items(), 20)


def test_throttled_requests_are_counted_and_not_billed(server):
    entries = usage(server, "--output", "json")["entries"]
    (disabled,) = [one for one in entries if one["name"] == "DisableKey"]
    assert (disabled["requests"], disabled["billed_requests"] < 30) == (30, True)
    (created,) = [one for one in entries if one["name"] == "CreateUser"]
    assert (created["requests"], created["billed_requests"]) == (1, 0)


def test_usage_by_key_and_by_principal_as_csv(server):
    rows = list(csv.DictReader(usage(server, "--by", "key", "--output", "csv").splitlines()))
    (key,) = [row for row in rows if ":key/" in row["name"]]
    assert key["version_hours"].isdigit()
    assert int(key["requests"]) > ENCRYPTIONS
    rows = csv.DictReader(usage(server, "--by", "principal", "--output", "csv").splitlines())
    requests = {row["name"].rpartition(":")[2]: int(row["requests"]) for row in rows}
    assert requests["user/bob"] == DENIALS


def test_the_table_shows_the_bills_of_both_price_lists(server):
    shown = usage(server)
    assert "Encrypt" in shown
    assert "prices current: 0.00 USD" in shown
    assert "prices 2018-11: 0.00 USD" in shown
    assert "key versions" in shown


@pytest.mark.parametrize("month", ["2026-13", "11-2026", "x"])
def test_a_month_that_is_none_is_one_line(server, month):
    done = run("usage", "--data", server.data, "--month", month)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)


def test_another_month_is_empty(server):
    assert usage(server, "--month", "2020-01", "--output", "json")["entries"] == []


def test_the_twin_says_when_aws_would_have_throttled(server):
    done = run("twin", "--data", server.data, "--since", "1h", "--output", "json", check=True)
    found = json.loads(done.stdout)
    assert {one["group_name"] for one in found["minutes"]} == {"DisableKey"}
    assert 0 < found["throttled"] <= 20
    shown = run("twin", "--data", server.data, "--since", "1h", check=True).stdout
    assert "would have been throttled" in shown
    assert "Together, prices current: 0.00 USD" in shown
    assert "DisableKey" in shown
    bad = run("twin", "--data", server.data, "--since", "soon")
    assert (bad.returncode, len(bad.stderr.splitlines())) == (2, 1)
