"""boto3 and STS: who am I. Reference: 23.1, 23.3."""

import re
from xml.etree import ElementTree as ET

import pytest

from serving import Signed

NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def test_the_root_user_is_the_account(server):
    sts = server.client("sts")
    answer = sts.get_caller_identity()
    sts.close()
    assert {name: answer[name] for name in ("UserId", "Account", "Arn")} == {
        "UserId": server.account,
        "Account": server.account,
        "Arn": f"arn:aws:iam::{server.account}:root",
    }


def test_every_region_answers(server):
    sts = server.client("sts", region="eu-central-1")
    assert sts.get_caller_identity()["Account"] == server.account
    sts.close()


def _ask(server, action="GetCallerIdentity", **rest):
    return server.send(Signed(server, action, {}, service="sts", protocol="query", **rest))


def test_the_answer_is_xml(server):
    answer = _ask(server)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/xml"
    tree = ET.fromstring(answer.body)
    assert tree.tag == f"{NAMESPACE}GetCallerIdentityResponse"
    result = tree.find(f"{NAMESPACE}GetCallerIdentityResult")
    assert {child.tag.removeprefix(NAMESPACE) for child in result} == {"UserId", "Account", "Arn"}
    request_id = tree.findtext(f"{NAMESPACE}ResponseMetadata/{NAMESPACE}RequestId")
    assert request_id == answer.headers["x-amzn-requestid"]
    assert re.fullmatch("[0-9a-f-]{36}", request_id)


@pytest.mark.parametrize("action", ["Nothing", "CreateUser", ""])
def test_unknown_actions(server, action):
    answer = _ask(server, action)
    assert answer.status == 400
    tree = ET.fromstring(answer.body)
    error = tree.find(f"{NAMESPACE}Error")
    assert error.findtext(f"{NAMESPACE}Type") == "Sender"
    assert error.findtext(f"{NAMESPACE}Code") in ("InvalidAction", "MissingAction")


def test_kms_is_not_spoken_in_forms(server):
    request = Signed(server, "ListKeys", {}, service="kms", protocol="query")
    answer = server.send(request)
    assert answer.status in (400, 404)
