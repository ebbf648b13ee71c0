"""Forty clients change the same key, user or policy at once: all of them succeed, in turn."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import serving

CLIENTS = 40
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}],
    }
)


@pytest.fixture(scope="module")
def server():
    with serving.served("--workers", "2") as started:
        yield started


@pytest.fixture(scope="module")
def clients(server):
    made = {
        service: server.client(service, max_pool_connections=CLIENTS) for service in ("kms", "iam")
    }
    yield made
    for client in made.values():
        client.close()


def all_at_once(change):
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(change, number) for number in range(CLIENTS)]:
            done.result()


def test_of_one_key(clients):
    kms = clients["kms"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    all_at_once(
        lambda number: kms.tag_resource(KeyId=key, Tags=[{"TagKey": f"k{number}", "TagValue": "v"}])
    )
    assert len(kms.list_resource_tags(KeyId=key)["Tags"]) == CLIENTS


def test_of_one_user(clients):
    iam = clients["iam"]
    iam.create_user(UserName="alice")
    all_at_once(
        lambda number: iam.tag_user(UserName="alice", Tags=[{"Key": f"k{number}", "Value": "v"}])
    )
    assert len(iam.list_user_tags(UserName="alice")["Tags"]) == CLIENTS


def test_of_one_policy(clients):
    iam = clients["iam"]
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    all_at_once(
        lambda number: iam.tag_policy(PolicyArn=arn, Tags=[{"Key": f"k{number}", "Value": "v"}])
    )
    assert len(iam.list_policy_tags(PolicyArn=arn)["Tags"]) == CLIENTS
