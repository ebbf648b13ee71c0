"""Many change the same key, user or role at once: all succeed, or are refused as AWS does."""

import asyncio
import importlib
import json
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import serving

sys.path.append(str(Path(__file__).parents[2] / "bench"))
signing = importlib.import_module("signing")

CLIENTS = 40
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}],
    }
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}},
        ],
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


HUNDREDS = 300
CONNECTIONS = 100


def answers_of(server, requests):
    """Return status and error code of requests, sent over many connections at once."""
    address = urlsplit(server.url)

    async def sent(waiting, answers):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while waiting:
            writer.write(waiting.pop())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(re.search(rb"ontent-[Ll]ength: (\d+)", head)[1]))
            code = re.search(rb'"__type":"(\w+)"|<Code>(\w+)</Code>', body)
            answers.append((int(head[9:12]), code and (code[1] or code[2]).decode()))
        writer.close()
        await writer.wait_closed()

    async def all_sent():
        waiting, answers = list(reversed(requests)), []
        await asyncio.gather(*(sent(waiting, answers) for _ in range(CONNECTIONS)))
        return Counter(answers)

    return asyncio.run(asyncio.wait_for(all_sent(), 120))


@pytest.fixture(scope="module")
def signer(server):
    key_id, secret = server.made["access_key_id"], server.made["secret_access_key"]
    return signing.Signer(server.url, key_id, secret, server.region)


def test_hundreds_of_different_changes_of_one_user_and_its_groups(server, clients, signer):
    """The user joins ten groups and no more, has two access keys, and everything else succeeds."""
    iam = clients["iam"]
    iam.create_user(UserName="bob")
    for number in range(15):
        iam.create_group(GroupName=f"g{number}")
    kinds = (
        lambda n: signer.iam("AddUserToGroup", UserName="bob", GroupName=f"g{n % 15}"),
        lambda n: signer.iam("CreateAccessKey", UserName="bob"),
        lambda n: signer.iam(
            "PutUserPolicy", UserName="bob", PolicyName=f"p{n % 7}", PolicyDocument=POLICY
        ),
        lambda n: signer.query(
            "iam", "TagUser", UserName="bob", **{"Tags.member.1.Key": "k", "Tags.member.1.Value": n}
        ),
    )
    made = [kinds[n % 4](n // 4) for n in range(HUNDREDS)]
    found = answers_of(server, made)
    assert set(found) <= {(200, None), (409, "LimitExceeded")}, found
    assert len(iam.list_groups_for_user(UserName="bob")["Groups"]) == 10
    assert len(iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]) == 2


def test_hundreds_of_changes_of_one_key_and_its_grants(server, clients, signer):
    kms = clients["kms"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    root = f"arn:aws:iam::{server.account}:root"
    kinds = (
        lambda n: signer.kms(
            "CreateGrant", KeyId=key, GranteePrincipal=root, Operations=["Encrypt"]
        ),
        lambda n: signer.kms("UpdateKeyDescription", KeyId=key, Description=str(n)),
        lambda n: signer.kms("CreateAlias", AliasName=f"alias/a{n}", TargetKeyId=key),
        lambda n: signer.kms("TagResource", KeyId=key, Tags=[{"TagKey": "k", "TagValue": str(n)}]),
    )
    made = [kinds[n % 4](n // 4) for n in range(HUNDREDS)]
    found = answers_of(server, made)
    assert set(found) <= {(200, None), (400, "LimitExceededException")}, found
    assert len(kms.list_grants(KeyId=key, Limit=100)["Grants"]) == HUNDREDS // 4
    assert len(kms.list_aliases(KeyId=key)["Aliases"]) == 50


def test_hundreds_make_and_unmake_the_same_role(server, signer):
    made = [
        signer.iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST)
        if number % 2
        else signer.iam("DeleteRole", RoleName="r")
        for number in range(HUNDREDS)
    ]
    found = answers_of(server, made)
    allowed = {(200, None), (404, "NoSuchEntity"), (409, "EntityAlreadyExists")}
    assert set(found) <= allowed, found
