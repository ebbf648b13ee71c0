"""Quotas over the wire: AWS's answer, SDKs that wait and get through, records, metrics."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import serving
from kagimori.rules.chain.chain import read_line
from serving import get, run

MESSAGE = (
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
)

EVERYTHING = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
OPTIONS = ("--quotas", "aws", "--set", "quotas.rates=StsRequests=2", "--workers", "2")
UNKNOWN = {
    "KeyId": "11111111-2222-3333-4444-555555555555",
    "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
    "WrappingKeySpec": "RSA_2048",
}


@pytest.fixture(scope="module")
def server():
    with serving.served(*OPTIONS) as made:
        yield made


@pytest.fixture(scope="module")
def kms(server):
    return server.client()


@pytest.fixture(scope="module")
def key_id(kms):
    return kms.create_key()["KeyMetadata"]["KeyId"]


def throttled(call, times=100):
    """Call until it is throttled, whatever else it is refused for; return that answer."""
    for _ in range(times):
        try:
            call()
        except ClientError as refused:
            if refused.response["Error"]["Code"] in ("ThrottlingException", "Throttling"):
                return refused.response
    raise AssertionError("never throttled")


def test_beyond_the_quota_kms_answers_as_aws_does_and_records_it(server, kms, key_id):
    answer = throttled(lambda: kms.update_key_description(KeyId=key_id, Description="x"))
    assert answer["Error"] == {"Code": "ThrottlingException", "Message": MESSAGE}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    kms.describe_key(KeyId=key_id)  # another group has another bucket
    (record,) = records_of(server, answer["ResponseMetadata"]["RequestId"])
    assert (record["errorCode"], record["errorMessage"]) == ("ThrottlingException", MESSAGE)
    assert record["eventName"] == "UpdateKeyDescription"
    assert record["userIdentity"]["accountId"] == server.account


def test_query_services_answer_in_their_own_form(server):
    sts = server.client("sts")
    answer = throttled(sts.get_caller_identity)
    assert answer["Error"] == {"Type": "Sender", "Code": "Throttling", "Message": "Rate exceeded"}


@pytest.mark.parametrize("mode", ["standard", "adaptive"])
def test_sdks_wait_and_get_through_by_themselves(server, key_id, mode):
    kms = boto3.client(
        "kms",
        endpoint_url=server.url,
        aws_access_key_id=server.made["access_key_id"],
        aws_secret_access_key=server.made["secret_access_key"],
        region_name=server.region,
        config=Config(retries={"mode": mode, "total_max_attempts": 12}),
    )
    retries = 0
    for _ in range(14):
        answer = kms.enable_key(KeyId=key_id)
        retries += answer["ResponseMetadata"]["RetryAttempts"]
    assert retries > 0


def test_a_noisy_user_leaves_room_for_another(server, key_id):
    iam, clients = server.client("iam"), {}
    for name in ("alice", "mallory"):
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=EVERYTHING)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        clients[name] = server.client(
            access_key=made["AccessKeyId"], secret=made["SecretAccessKey"]
        )
    for _ in range(3):
        throttled(lambda: clients["mallory"].disable_key_rotation(KeyId=key_id))
        clients["alice"].disable_key_rotation(KeyId=key_id)


def test_refused_requests_count_and_strangers_do_not(server, kms):
    throttled(lambda: kms.get_parameters_for_import(**UNKNOWN))
    stranger = server.client(secret="x" * 40)
    for _ in range(20):
        with pytest.raises(ClientError, match="InvalidSignatureException"):
            stranger.create_alias(AliasName="alias/a", TargetKeyId=UNKNOWN["KeyId"])
    with pytest.raises(ClientError, match="NotFoundException"):
        kms.create_alias(AliasName="alias/a", TargetKeyId=UNKNOWN["KeyId"])


def test_an_operator_sets_a_number_that_counts_at_once(server, kms, key_id):
    shown = run("quota", "show", "--data", server.data, "--output", "json", check=True)
    (quota,) = (
        one for one in json.loads(shown.stdout)["quotas"] if one["group_name"] == "TagResource"
    )
    assert (quota["value"], quota["default_value"]) == (10.0, 10.0)
    tag = {"KeyId": key_id, "Tags": [{"TagKey": "a", "TagValue": "b"}]}
    more = ("quota", "set", "TagResource", "100000", "--account", server.account)
    assert "100,000" in run(*more, "--data", server.data, check=True).stdout
    for _ in range(60):
        kms.tag_resource(**tag)
    assert "100,000" in run("quota", "show", "--data", server.data, check=True).stdout
    less = ("quota", "set", "TagResource", "1", "--account", server.account)
    run(*less, "--data", server.data, check=True)
    throttled(lambda: kms.tag_resource(**tag))
    run(
        "quota",
        "set",
        "TagResource",
        "--account",
        server.account,
        "--data",
        server.data,
        check=True,
    )
    wrong = run("quota", "set", "Tags", "1", "--account", server.account, "--data", server.data)
    assert (wrong.returncode, "has no group Tags" in wrong.stderr) == (1, True)


def test_service_quotas_is_on_the_same_endpoint(server):
    quotas = server.client("service-quotas")
    pages = quotas.get_paginator("list_service_quotas").paginate(
        ServiceCode="kms", PaginationConfig={"PageSize": 9}
    )
    found = {one["QuotaName"]: one for page in pages for one in page["Quotas"]}
    code = found["ScheduleKeyDeletion request rate"]["QuotaCode"]
    made = quotas.request_service_quota_increase(
        ServiceCode="kms", QuotaCode=code, DesiredValue=99.0
    )["RequestedQuota"]
    assert made["Status"] == "PENDING"
    assert quotas.get_service_quota(ServiceCode="kms", QuotaCode=code)["Quota"]["Value"] == 15.0
    with pytest.raises(quotas.exceptions.NoSuchResourceException):
        quotas.list_service_quotas(ServiceCode="ec2")
    shown = run("quota", "show", "--data", server.data, check=True).stdout
    (line,) = (one for one in shown.splitlines() if one.startswith("ScheduleKeyDeletion "))
    assert line.split()[1:4] == ["15", "15", "99"]
    records = records_of(server, made["Id"])
    assert [one["eventSource"] for one in records] == ["servicequotas.amazonaws.com"]


def test_metrics_count_what_was_throttled_by_group(server, kms, key_id):
    throttled(lambda: kms.update_key_description(KeyId=key_id, Description="x"))
    page = get(server.running["admin_url"] + "/metrics")[2].decode()
    assert 'kagimori_throttled_total{group="UpdateKeyDescription"}' in page


def records_of(server, request_id):
    """Return the records of a request in the workers' journals."""
    lines = (
        line
        for file in (server.data / "audit").glob("*-w*/*.jsonl")
        for line in file.read_bytes().splitlines()
        if request_id.encode() in line
    )
    return [json.loads(read_line(line)[2]) for line in lines]
