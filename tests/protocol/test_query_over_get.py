"""Forms in URLs, and how refusals of Query services are recorded. Reference: 23.1."""

import json
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from serving import refused, run, stream


def get(server, query, service="iam", credentials=None):
    """Return status and body of a GET that is signed in its headers."""
    found = credentials or botocore.credentials.Credentials(
        server.made["access_key_id"], server.made["secret_access_key"]
    )
    request = botocore.awsrequest.AWSRequest("GET", f"{server.url}/?{query}")
    botocore.auth.SigV4Auth(found, service, "us-east-1").add_auth(request)
    prepared = request.prepare()
    sent = urllib.request.Request(prepared.url, headers=dict(prepared.headers), method="GET")
    try:
        with urllib.request.urlopen(sent) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def test_a_form_in_the_url(server):
    status, body = get(server, "Action=ListUsers&Version=2010-05-08")
    assert status == 200
    assert "<ListUsersResult>" in body
    status, body = get(server, "Action=GetCallerIdentity&Version=2011-06-15", "sts")
    assert status == 200
    assert f":{server.account}:root<" in body


@pytest.mark.parametrize("query", ["x", "Action=Nothing", "Action=ListUsers&Action=ListUsers"])
def test_forms_that_are_none(server, query):
    status, body = get(server, query)
    assert status == 400
    assert "<ErrorResponse" in body


def test_without_a_signature(server):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/?Action=ListUsers&Version=2010-05-08")
    with caught.value:
        assert caught.value.code == 403
        assert "<Code>MissingAuthenticationToken</Code>" in caught.value.read().decode()


def test_a_record_has_the_code_that_was_answered(server):
    iam = server.client("iam", access_key="AKIAIOSFODNN7EXAMPLE", secret="nobody's")
    with pytest.raises(iam.exceptions.ClientError) as caught:
        iam.list_users()
    assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
    request_id = caught.value.response["ResponseMetadata"]["RequestId"]
    lines = [
        line
        for file in stream(server.data).glob("*.jsonl")
        for line in file.read_text().splitlines()
        if request_id in line
    ]
    (record,) = [json.loads(line)["record"] for line in lines]
    assert record["errorCode"] == "InvalidClientTokenId"
    assert record["eventSource"] == "iam.amazonaws.com"
    assert record["eventName"] == "ListUsers"


def test_a_marker_of_another_account(server):
    iam = server.client("iam")
    for number in range(2):
        iam.create_user(UserName=f"marked-{number}")
    marker = iam.list_users(MaxItems=1, PathPrefix="/")["Marker"]
    assert iam.list_users(MaxItems=1, PathPrefix="/", Marker=marker)["Users"]
    other = json.loads(run("account", "create", "--data", server.data, "--output", "json").stdout)
    stranger = server.client(
        "iam", access_key=other["access_key_id"], secret=other["secret_access_key"]
    )
    with refused("ValidationError", "Invalid Marker."):
        stranger.list_users(MaxItems=1, PathPrefix="/", Marker=marker)
