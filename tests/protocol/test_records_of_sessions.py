"""Records of STS's calls and of those made with what they gave. Reference: 14.1, 14.2, 23."""

import json

import boto3
import pytest

import serving
from protocol.test_records import ALWAYS

ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Story:
    """Each call by label, and the record of each."""

    def __init__(self, server):
        self.server, self.calls = server, {}
        iam = server.client("iam")
        self.user = iam.create_user(UserName="alice")["User"]
        iam.put_user_policy(UserName="alice", PolicyName="all", PolicyDocument=document(ANY))
        self.long_term = iam.create_access_key(UserName="alice")["AccessKey"]
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": self.user["Arn"]},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }
        self.role = iam.create_role(RoleName="keeper", AssumeRolePolicyDocument=document(trust))[
            "Role"
        ]
        iam.put_role_policy(RoleName="keeper", PolicyName="all", PolicyDocument=document(ANY))
        sts = self.client("sts", self.long_term)
        self.tell(
            "AssumeRole",
            sts.assume_role(
                RoleArn=self.role["Arn"],
                RoleSessionName="work",
                DurationSeconds=900,
                ExternalId="shared",
                Tags=[{"Key": "team", "Value": "blue"}],
                SourceIdentity="alice@example",
            ),
        )
        self.tell("GetSessionToken", sts.get_session_token(DurationSeconds=900))
        policy = document({**ANY, "Action": "kms:*"})
        self.tell("GetFederationToken", sts.get_federation_token(Name="carol", Policy=policy))
        for name in list(self.calls):
            kms = self.client("kms", self.calls[name]["Credentials"])
            self.tell(f"ListKeys with {name}", kms.list_keys())

    def client(self, service, made):
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name="us-east-1",
            aws_access_key_id=made["AccessKeyId"],
            aws_secret_access_key=made["SecretAccessKey"],
            aws_session_token=made.get("SessionToken"),
        )

    def tell(self, label, answer):
        self.calls[label] = answer

    def record(self, label):
        request_id = self.calls[label]["ResponseMetadata"]["RequestId"]
        lines = [
            line
            for file in serving.stream(self.server.data).glob("*.jsonl")
            for line in file.read_text().splitlines()
            if request_id in line
        ]
        (record,) = [json.loads(line)["record"] for line in lines]
        return record


@pytest.fixture(scope="module")
def story():
    with serving.served() as server:
        yield Story(server)


def test_every_record_is_whole_and_without_secrets(story):
    for label, answer in story.calls.items():
        record = story.record(label)
        assert set(record) >= set(ALWAYS), label
        text = json.dumps(record)
        made = answer.get("Credentials", {})
        for secret in ("SecretAccessKey", "SessionToken"):
            assert made.get(secret, "\0") not in text, label


def test_assume_role(story):
    record = story.record("AssumeRole")
    assert record["eventSource"] == "sts.amazonaws.com"
    assert record["readOnly"] is True
    assert record["userIdentity"] == {
        "type": "IAMUser",
        "principalId": story.user["UserId"],
        "arn": story.user["Arn"],
        "accountId": story.server.account,
        "accessKeyId": story.long_term["AccessKeyId"],
        "userName": "alice",
    }
    assert record["requestParameters"] == {
        "roleArn": story.role["Arn"],
        "roleSessionName": "work",
        "durationSeconds": 900,
        "tags": [{"key": "team", "value": "blue"}],
        "externalId": "shared",
        "sourceIdentity": "alice@example",
    }
    answer = story.calls["AssumeRole"]
    assert record["responseElements"]["assumedRoleUser"] == {
        "assumedRoleId": answer["AssumedRoleUser"]["AssumedRoleId"],
        "arn": answer["AssumedRoleUser"]["Arn"],
    }
    shown = record["responseElements"]["credentials"]
    assert shown["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    assert set(shown) == {"accessKeyId", "expiration"}
    assert record["resources"] == [
        {
            "accountId": story.server.account,
            "type": "AWS::IAM::Role",
            "ARN": story.role["Arn"],
        }
    ]


def test_with_a_roles_session(story):
    identity = story.record("ListKeys with AssumeRole")["userIdentity"]
    created = identity["sessionContext"]["attributes"]["creationDate"]
    assert identity == {
        "type": "AssumedRole",
        "principalId": f"{story.role['RoleId']}:work",
        "arn": f"arn:aws:sts::{story.server.account}:assumed-role/keeper/work",
        "accountId": story.server.account,
        "accessKeyId": story.calls["AssumeRole"]["Credentials"]["AccessKeyId"],
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": story.role["RoleId"],
                "arn": story.role["Arn"],
                "accountId": story.server.account,
                "userName": "keeper",
            },
            "attributes": {"creationDate": created, "mfaAuthenticated": "false"},
            "sourceIdentity": "alice@example",
        },
    }


def test_get_session_token_and_with_it(story):
    record = story.record("GetSessionToken")
    assert record["requestParameters"] == {"durationSeconds": 900}
    assert set(record["responseElements"]) == {"credentials"}
    identity = story.record("ListKeys with GetSessionToken")["userIdentity"]
    assert identity["type"] == "IAMUser"
    assert identity["userName"] == "alice"
    assert identity["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"


def test_get_federation_token_and_with_it(story):
    record = story.record("GetFederationToken")
    assert record["requestParameters"]["name"] == "carol"
    assert json.loads(record["requestParameters"]["policy"])
    arn = f"arn:aws:sts::{story.server.account}:federated-user/carol"
    assert record["responseElements"]["federatedUser"] == {
        "federatedUserId": f"{story.server.account}:carol",
        "arn": arn,
    }
    identity = story.record("ListKeys with GetFederationToken")["userIdentity"]
    assert identity["type"] == "FederatedUser"
    assert identity["arn"] == arn
    assert identity["principalId"] == f"{story.server.account}:carol"
    assert identity["sessionContext"]["sessionIssuer"] == {
        "type": "IAMUser",
        "principalId": story.user["UserId"],
        "arn": story.user["Arn"],
        "accountId": story.server.account,
        "userName": "alice",
    }
