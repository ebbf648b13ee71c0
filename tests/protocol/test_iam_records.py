"""What the audit trail says of IAM's calls: who was made, and never with which secret."""

import json

import pytest

import serving
from serving import refused

READ = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
)


@pytest.fixture
def iam(own_server):
    client = own_server.client("iam")
    yield client
    client.close()


def records(server, name):
    """Return the records of an event, as CloudTrail's LookupEvents finds them."""
    trail = server.client("cloudtrail")
    attribute = {"AttributeKey": "EventName", "AttributeValue": name}
    found = []

    def look():
        answer = trail.lookup_events(LookupAttributes=[attribute])
        found[:] = [json.loads(event["CloudTrailEvent"]) for event in answer["Events"]]
        return bool(found)

    serving.eventually(look)
    trail.close()
    return found


def test_requests_and_answers_are_shown_without_their_secrets(own_server, iam):
    iam.create_user(UserName="alice", Tags=[{"Key": "team", "Value": "vault"}])
    made = iam.create_access_key(UserName="alice")["AccessKey"]
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=READ)
    iam.create_login_profile(UserName="alice", Password="correct-Horse-battery-1")
    with refused("NoSuchEntity", status=404):
        iam.get_user(UserName="nobody")
    (user,) = records(own_server, "CreateUser")
    assert user["eventSource"] == "iam.amazonaws.com"
    assert user["requestParameters"] == {
        "userName": "alice",
        "tags": [{"key": "team", "value": "vault"}],
    }
    shown = user["responseElements"]["user"]
    assert shown["arn"] == f"arn:aws:iam::{own_server.account}:user/alice"
    assert not user["readOnly"]
    (key,) = records(own_server, "CreateAccessKey")
    assert key["responseElements"]["accessKey"] == {
        "userName": "alice",
        "accessKeyId": made["AccessKeyId"],
        "status": "Active",
        "createDate": key["responseElements"]["accessKey"]["createDate"],
    }
    (put,) = records(own_server, "PutUserPolicy")
    assert put["requestParameters"]["policyDocument"] == READ
    assert put["responseElements"] is None
    (login,) = records(own_server, "CreateLoginProfile")
    assert login["requestParameters"] == {"userName": "alice"}
    assert login["responseElements"]["loginProfile"]["userName"] == "alice"
    (get,) = records(own_server, "GetUser")
    assert get["readOnly"]
    assert get["errorCode"] == "NoSuchEntity"
